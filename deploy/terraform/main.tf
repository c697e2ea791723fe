# Runs orca-daemon and its console on ECS beside an ORCA deployment.

locals {
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  account   = data.aws_caller_identity.this.account_id

  deploy = "${path.module}/.."
  alarms = jsondecode(file("${local.deploy}/cloudwatch/alarms.json"))

  # ORCA's names of the variables with the URLs of its queues.
  url_variables = {
    status_update   = "STATUS_UPDATE_QUEUE_URL"
    recovery        = "RECOVERY_QUEUE_URL"
    internal_report = "INTERNAL_REPORT_QUEUE_URL"
    catalog         = "METADATA_DB_QUEUE_URL"
    restore         = "RESTORE_QUEUE_URL"
  }

  queue_arn   = "arn:${local.partition}:sqs:${local.region}:${local.account}:"
  queue_url   = "https://sqs.${local.region}.${data.aws_partition.this.dns_suffix}/${local.account}/"
  dead_letter = { for key, queue in var.queues : key => queue.dead_letter_name if queue.dead_letter_name != null }
  queue_arns = [
    for name in concat(values(var.queues)[*].name, values(local.dead_letter), var.other_queue_names) :
    "${local.queue_arn}${name}"
  ]

  exports   = var.export_bucket == null ? [] : [var.export_bucket]
  written   = concat(var.destination_buckets, local.exports)
  buckets   = distinct(concat(var.archive_buckets, local.written, var.reports_buckets))
  s3        = "arn:${local.partition}:s3:::"
  log_group = "/ecs/${var.name}"
}
