-- name: of_object
SELECT
    file_.job_id, file_.collection_id, file_.granule_id, file_.filename,
    file_.restore_destination, file_.multipart_chunksize_mb, file_.status_id, file_.last_update
FROM orca.recovery_file AS file_
JOIN orca.recovery_job AS job_
    ON job_.job_id = file_.job_id
    AND job_.collection_id = file_.collection_id
    AND job_.granule_id = file_.granule_id
WHERE file_.key_path = :key AND job_.archive_destination = :bucket
ORDER BY file_.request_time, file_.job_id, file_.granule_id, file_.filename;
