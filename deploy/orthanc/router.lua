-- The router rule: every new radiograph, and nothing else, goes to the node "CXR" of DicomModalities. Results come
-- back as SR and OT, so they cannot loop; `cxr pacs` would not accept them either.
-- Orthanc does not repeat a finally failed job: `cxr pacs serve --orthanc URL` fetches radiographs that it missed.

local RADIOGRAPHS = { CR = true, DX = true }

function OnStoredInstance(instanceId, tags, metadata, origin)
   if RADIOGRAPHS[tags["Modality"]] then
      SendToModality(instanceId, "CXR")
   end
end
