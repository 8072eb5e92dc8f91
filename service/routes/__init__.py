"""All routes, and the parsing of requests: parameters, Accept, media types, forms, and their OpenAPI description."""
