-- The router rule: every new radiograph goes to the node "CXR" of DicomModalities, and nothing else does. Results come
-- back as SR and OT, so that they cannot go round in circles; `cxr pacs` would not take them either.
-- Orthanc does not repeat a job that has failed for ever: `cxr pacs serve --orthanc URL` fetches what it missed.

local RADIOGRAPHS = { CR = true, DX = true }

function OnStoredInstance(instanceId, tags, metadata, origin)
   if RADIOGRAPHS[tags["Modality"]] then
      SendToModality(instanceId, "CXR")
   end
end
