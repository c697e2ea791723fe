# What the module makes, with a provider that makes nothing: `terraform test`, or ./dev deploy_check.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_region" {
    defaults = { region = "us-west-2" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-west-2:123456789012:log-group:/ecs/orca-daemon" }
  }
}

variables {
  prefix                     = "prefix"
  image                      = "registry.example.org/orca-daemon:0.1.0"
  cluster_arn                = "arn:aws:ecs:us-west-2:123456789012:cluster/orca"
  vpc_id                     = "vpc-1"
  subnet_ids                 = ["subnet-1", "subnet-2"]
  database_security_group_id = "sg-database"
  database_secret_arn        = "arn:aws:secretsmanager:us-west-2:123456789012:secret:prefix-orca-db-login-secret-AbCdEf"
  owner_secret_arn           = "arn:aws:secretsmanager:us-west-2:123456789012:secret:owner-AbCdEf"
  archive_buckets            = ["archive", "archive-2"]
  destination_buckets        = ["protected"]
  kms_key_arns               = ["arn:aws:kms:us-west-2:123456789012:key/1"]
  daemons                    = 3
  page_topic_arns            = ["arn:aws:sns:us-west-2:123456789012:page"]
  ticket_topic_arns          = ["arn:aws:sns:us-west-2:123456789012:ticket"]
  queues = {
    status_update = { name = "status.fifo", dead_letter_name = "status-dead.fifo" }
    recovery      = { name = "recovery", dead_letter_name = "recovery-dead" }
    catalog       = { name = "catalog.fifo" }
  }
  settings = {
    ORCA_ENGINE__HELD          = "500"
    ORCA_EXPORT__SOURCE_SECRET = "secret:arn:aws:secretsmanager:us-west-2:123456789012:secret:source-AbCdEf"
  }
}

run "the_daemon" {
  command = apply

  assert {
    condition = jsondecode(aws_ecs_task_definition.daemon.container_definitions)[0].environment == [
      for name, value in {
        AWS_REGION                 = "us-west-2"
        DB_CONNECT_INFO_SECRET_ARN = var.database_secret_arn
        METADATA_DB_QUEUE_URL      = "https://sqs.us-west-2.amazonaws.com/123456789012/catalog.fifo"
        ORCA_COPIES__SOURCES       = "archive,archive-2"
        ORCA_COPIES__TARGETS       = "protected"
        ORCA_DEFAULT_BUCKET        = "archive"
        ORCA_ENGINE__DRAIN_SECONDS = "50"
        ORCA_ENGINE__HELD          = "500"
        ORCA_EXPORT__SOURCE_SECRET = var.settings.ORCA_EXPORT__SOURCE_SECRET
        ORCA_HTTP__HOST            = "0.0.0.0"
        ORCA_HTTP__PORT            = "9464"
        ORCA_LOG__FORMAT           = "json"
        ORCA_METRICS__DEPLOYMENT   = "prefix"
        ORCA_METRICS__EMF          = "true"
        ORCA_RECONCILE__WORK_DIR   = "/var/lib/orca-daemon"
        PREFIX                     = "prefix"
        RECOVERY_QUEUE_URL         = "https://sqs.us-west-2.amazonaws.com/123456789012/recovery"
        STATUS_UPDATE_QUEUE_URL    = "https://sqs.us-west-2.amazonaws.com/123456789012/status.fifo"
      } : { name = name, value = value }
    ]
    error_message = "The environment is another one: ${aws_ecs_task_definition.daemon.container_definitions}"
  }

  assert {
    condition = alltrue([
      for name in ["user", "readonlyRootFilesystem", "stopTimeout", "linuxParameters", "mountPoints", "ulimits", "healthCheck"] :
      jsonencode(jsondecode(aws_ecs_task_definition.daemon.container_definitions)[0][name]) == jsonencode(local.container[name])
    ])
    error_message = "The container is not that of deploy/ecs/task-definition.json."
  }

  assert {
    condition     = aws_ecs_service.daemon.desired_count == 3 && length(aws_ecs_service.console) == 0
    error_message = "Three daemons and no console were asked for."
  }
}

run "the_policy_is_the_file_of_deploy_iam_with_these_resources" {
  command = apply

  variables {
    settings = {
      ORCA_EXPORT__SOURCE_SECRET = "secret:arn:aws:secretsmanager:us-west-2:123456789012:secret:source-AbCdEf"
      ORCA_RECONCILE__STAGE      = "s3://stage/comparisons/"
    }
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.daemon.policy).Statement : statement.Sid => statement.Resource
      } == {
      ConsumeQueues = [
        for name in ["catalog.fifo", "recovery", "status.fifo", "recovery-dead", "status-dead.fifo"] :
        "arn:aws:sqs:us-west-2:123456789012:${name}"
      ]
      ReadArchiveAndReports = ["arn:aws:s3:::archive/*", "arn:aws:s3:::archive-2/*", "arn:aws:s3:::protected/*"]
      RestoreFromArchive    = ["arn:aws:s3:::archive/*", "arn:aws:s3:::archive-2/*"]
      WriteCopiesAndExports = ["arn:aws:s3:::protected/*"]
      StageForSpark         = ["arn:aws:s3:::stage/comparisons/*"]
      ListBuckets           = ["arn:aws:s3:::archive", "arn:aws:s3:::archive-2", "arn:aws:s3:::protected", "arn:aws:s3:::stage"]
      ReadSecrets           = [var.database_secret_arn, "arn:aws:secretsmanager:us-west-2:123456789012:secret:source-AbCdEf"]
      ReadParameters        = ["arn:aws:ssm:us-west-2:123456789012:parameter/prefix-orca-*"]
      UseKeys               = ["arn:aws:kms:us-west-2:123456789012:key/1"]
      WriteLog              = ["arn:aws:logs:us-west-2:123456789012:log-group:/ecs/orca-daemon:*"]
    }
    error_message = "The resources are others: ${aws_iam_role_policy.daemon.policy}"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(file("../iam/policy.json")).Statement :
      jsonencode([for each in jsondecode(aws_iam_role_policy.daemon.policy).Statement : each.Action if each.Sid == statement.Sid]) ==
      jsonencode([statement.Action]) || statement.Sid == "AnswerStateMachines"
    ])
    error_message = "The actions are not those of deploy/iam/policy.json."
  }

  assert {
    condition     = length(regexall("REGION|ACCOUNT|PREFIX|_BUCKET|KEY_ID", aws_iam_role_policy.daemon.policy)) == 0
    error_message = "A name of deploy/iam/policy.json was not replaced: ${aws_iam_role_policy.daemon.policy}"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.daemon.policy, "owner")
    error_message = "The daemon must not be able to read the owner's secret."
  }
}

run "the_migration_is_a_task_with_a_role_of_its_own" {
  command = apply

  variables {
    migration_image = "registry.example.org/orca-daemon:0.2.0"
  }

  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.migration[0].container_definitions)[0].command == ["db", "upgrade", "--yes"] &&
      jsondecode(aws_ecs_task_definition.migration[0].container_definitions)[0].image == var.migration_image &&
      jsondecode(aws_ecs_task_definition.daemon.container_definitions)[0].image == var.image &&
      { for each in jsondecode(aws_ecs_task_definition.migration[0].container_definitions)[0].environment : each.name => each.value }.DATABASE_URL == "secret:${var.owner_secret_arn}" &&
      aws_ecs_task_definition.migration[0].task_role_arn == aws_iam_role.migration[0].arn
    )
    error_message = "The migration is another task: ${aws_ecs_task_definition.migration[0].container_definitions}"
  }
}

run "there_is_an_alarm_for_each_of_the_list_and_of_sqs_for_each_queue" {
  command = apply

  assert {
    condition = (
      length([for alarm in local.alarms : alarm if alarm.of == "deployment"]) == length([for alarm in aws_cloudwatch_metric_alarm.this : alarm if alarm.namespace == "OrcaDaemon"]) &&
      { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.dimensions.QueueName if alarm.namespace == "AWS/SQS" } == {
        OrcaDaemonQueueDelay-status_update              = "status.fifo"
        OrcaDaemonQueueDelay-recovery                   = "recovery"
        OrcaDaemonQueueDelay-catalog                    = "catalog.fifo"
        OrcaDaemonDeadLetterQueueNotEmpty-status_update = "status-dead.fifo"
        OrcaDaemonDeadLetterQueueNotEmpty-recovery      = "recovery-dead"
        OrcaDaemonDeadLettersExpiring-status_update     = "status-dead.fifo"
        OrcaDaemonDeadLettersExpiring-recovery          = "recovery-dead"
      }
    )
    error_message = "The alarms are others: ${join(", ", keys(aws_cloudwatch_metric_alarm.this))}"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["OrcaDaemonDown"].threshold == 3 &&
      aws_cloudwatch_metric_alarm.this["OrcaDaemonDeadLettersExpiring-recovery"].threshold == 172800 &&
      aws_cloudwatch_metric_alarm.this["OrcaDaemonDown"].alarm_actions == toset(var.page_topic_arns) &&
      aws_cloudwatch_metric_alarm.this["OrcaDaemonPoolWait"].alarm_actions == toset(var.ticket_topic_arns)
    )
    error_message = "Thresholds that depend on variables, or topics, are wrong."
  }
}

run "orcas_lambdas_may_not_receive_from_queues_that_have_moved" {
  command = apply

  variables {
    orca_lambda_role_name = "prefix_restore_object_role"
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.lambdas_keep_off[0].policy).Statement[0]) == jsonencode({
      Sid    = "TheDaemonReadsThese"
      Effect = "Deny"
      Action = "sqs:ReceiveMessage"
      Resource = [
        "arn:aws:sqs:us-west-2:123456789012:catalog.fifo",
        "arn:aws:sqs:us-west-2:123456789012:recovery",
        "arn:aws:sqs:us-west-2:123456789012:status.fifo",
      ]
    })
    error_message = "The policy is another one: ${aws_iam_role_policy.lambdas_keep_off[0].policy}"
  }
}

run "the_console_has_a_role_and_a_service_of_its_own" {
  command = apply

  variables {
    console                          = true
    console_client_security_group_id = "sg-balancer"
    console_target_group_arn         = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/orca/1"
    console_token_secret_arns        = { ops = "arn:aws:secretsmanager:us-west-2:123456789012:secret:ops-AbCdEf" }
  }

  assert {
    condition = (
      { for each in jsondecode(aws_ecs_task_definition.console[0].container_definitions)[0].environment : each.name => each.value }.ORCA_CONSOLE__TOKENS == jsonencode({ ops = "secret:${var.console_token_secret_arns.ops}" }) &&
      aws_ecs_task_definition.console[0].task_role_arn == aws_iam_role.console[0].arn &&
      alltrue([
        for name in ["command", "user", "readonlyRootFilesystem", "portMappings", "healthCheck"] :
        jsonencode(jsondecode(aws_ecs_task_definition.console[0].container_definitions)[0][name]) == jsonencode(local.console_sample[name])
      ])
    )
    error_message = "The console is another task: ${aws_ecs_task_definition.console[0].container_definitions}"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.console[0].policy).Statement : statement.Sid => statement.Resource
      } == {
      ShowAndRedriveQueues             = ["arn:aws:sqs:us-west-2:123456789012:recovery-dead", "arn:aws:sqs:us-west-2:123456789012:status-dead.fifo"]
      SendMessages                     = [for name in ["catalog.fifo", "recovery", "status.fifo"] : "arn:aws:sqs:us-west-2:123456789012:${name}"]
      ReadArchiveInventoriesAndExports = ["arn:aws:s3:::archive/*", "arn:aws:s3:::archive-2/*"]
      ListBuckets                      = ["arn:aws:s3:::archive", "arn:aws:s3:::archive-2"]
      ReadSecrets = [
        var.database_secret_arn,
        "arn:aws:secretsmanager:us-west-2:123456789012:secret:source-AbCdEf",
        var.console_token_secret_arns.ops,
      ]
      ReadParameters = ["arn:aws:ssm:us-west-2:123456789012:parameter/prefix-orca-console/*"]
      UseKeys        = ["arn:aws:kms:us-west-2:123456789012:key/1"]
      WriteLog       = ["arn:aws:logs:us-west-2:123456789012:log-group:/ecs/orca-daemon:*"]
    }
    error_message = "The resources are others: ${aws_iam_role_policy.console[0].policy}"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.daemon.policy, var.console_token_secret_arns.ops)
    error_message = "The daemon must not be able to read the tokens of the console."
  }
}

run "a_console_without_a_token_is_refused" {
  command = plan

  variables {
    console = true
  }

  expect_failures = [aws_ecs_task_definition.console]
}

run "a_queue_of_another_name_is_refused" {
  command = plan

  variables {
    queues = { inventory = { name = "inventory" } }
  }

  expect_failures = [var.queues]
}
