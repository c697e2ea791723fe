# The alarms of deploy/cloudwatch/alarms.json, which a test holds to the alerts for Prometheus.

locals {
  topics = { page = var.page_topic_arns, ticket = var.ticket_topic_arns }

  queue_names = {
    deployment        = { "" = null }
    queue             = { for key, queue in var.queues : key => queue.name }
    dead_letter_queue = local.dead_letter
  }

  alarm_list = flatten([
    for alarm in local.alarms : [
      for key, queue in local.queue_names[alarm.of] : {
        key        = key == "" ? alarm.alert : "${alarm.alert}-${key}"
        alarm      = alarm
        own        = alarm.of == "deployment"
        namespace  = alarm.of == "deployment" ? lookup(local.environment, "ORCA_METRICS__NAMESPACE", "OrcaDaemon") : "AWS/SQS"
        dimensions = alarm.of == "deployment" ? { Deployment = local.environment["ORCA_METRICS__DEPLOYMENT"] } : { QueueName = queue }
        threshold = (
          try(alarm.times_daemons, false) ? alarm.threshold * var.daemons :
          try(alarm.times_retention, false) ? alarm.threshold * var.dead_letter_retention_seconds :
          alarm.threshold
        )
      }
    ]
  ])
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for each in local.alarm_list : each.key => each if var.alarms }

  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = "${each.value.alarm.severity}: docs/operate.md of orca-daemon, ${each.value.alarm.alert}"
  namespace           = each.value.namespace
  metric_name         = each.value.alarm.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.alarm.statistic
  period              = each.value.alarm.period
  evaluation_periods  = each.value.alarm.periods
  comparison_operator = each.value.alarm.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.alarm.missing
  alarm_actions       = local.topics[each.value.alarm.severity]
  ok_actions          = local.topics[each.value.alarm.severity]
  tags                = var.tags
}
