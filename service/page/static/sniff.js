// Recognise a file's format from its first bytes, never from its name: files on a CD have no suffix.

const LENGTH = 132;
const KINDS = [
  { name: "DICOM", mediaType: "application/dicom", at: 128, bytes: [0x44, 0x49, 0x43, 0x4d] }, // DICM
  { name: "PNG", mediaType: "image/png", at: 0, bytes: [0x89, 0x50, 0x4e, 0x47] },
  { name: "JPEG", mediaType: "image/jpeg", at: 0, bytes: [0xff, 0xd8, 0xff] },
];
const OTHER = { name: "Unknown format", mediaType: "application/octet-stream" }; // the service answers with the reason

export async function sniff(file) {
  const head = new Uint8Array(await file.slice(0, LENGTH).arrayBuffer());
  return KINDS.find(({ at, bytes }) => bytes.every((byte, i) => head[at + i] === byte)) ?? OTHER;
}
