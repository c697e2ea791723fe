# The console: a service of its own, with a role of its own that may do less than the daemon's.

locals {
  consoles = var.console ? 1 : 0

  console_policy = jsondecode(replace(file("${local.deploy}/iam/console-policy.json"), "REGION", local.region))
  console_resources = {
    ShowAndRedriveQueues = [for name in concat(values(local.dead_letter), var.other_queue_names) : "${local.queue_arn}${name}"]
    SendMessages         = [for name in concat(values(var.queues)[*].name, var.other_queue_names) : "${local.queue_arn}${name}"]
    ReadArchiveInventoriesAndExports = [
      for bucket in concat(var.archive_buckets, var.reports_buckets, local.exports) : "${local.s3}${bucket}/*"
    ]
    ListBuckets    = [for bucket in concat(var.archive_buckets, var.reports_buckets, local.exports) : "${local.s3}${bucket}"]
    ReadSecrets    = concat([var.database_secret_arn], local.setting_secret_arns, values(var.console_token_secret_arns))
    ReadParameters = ["arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${var.prefix}-orca-console/*"]
    UseKeys        = var.kms_key_arns
  }
  console_statements = [
    for statement in local.console_policy.Statement : merge(statement, { Resource = local.console_resources[statement.Sid] })
    if length(local.console_resources[statement.Sid]) > 0
  ]

  console_template = jsondecode(file("${local.deploy}/ecs/console-task-definition.json"))
  console_sample   = [for each in local.console_template.containerDefinitions : each if each.name == "console"][0]

  # ORCA_HTTP__PORT tells the health check the console's port.
  console_environment = merge(
    { for name, value in local.environment : name => value if !startswith(name, "ORCA_METRICS__") },
    {
      ORCA_CONSOLE__LISTEN  = "0.0.0.0:9465"
      ORCA_CONSOLE__ACTIONS = tostring(var.console_actions)
      ORCA_CONSOLE__TOKENS  = jsonencode({ for name, arn in var.console_token_secret_arns : name => "secret:${arn}" })
      ORCA_HTTP__PORT       = "9465"
    },
    length(var.console_hosts) == 0 ? {} : { ORCA_CONSOLE__ALLOWED_HOSTS = join(",", var.console_hosts) },
    { for name, value in var.settings : name => value if startswith(name, "ORCA_CONSOLE__") },
  )

  console_container = merge(local.console_sample, {
    image       = var.image
    environment = [for name in sort(keys(local.console_environment)) : { name = name, value = local.console_environment[name] }]
    logConfiguration = merge(local.console_sample.logConfiguration, {
      options = merge(local.console_sample.logConfiguration.options, {
        region         = local.region
        log_group_name = aws_cloudwatch_log_group.this.name
      })
    })
  })
}

resource "aws_iam_role" "console" {
  count                = local.consoles
  name                 = "${var.name}-console"
  assume_role_policy   = local.assume
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "console" {
  count = local.consoles
  name  = "console"
  role  = aws_iam_role.console[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.console_statements, [local.write_log])
  })
}

resource "aws_ecs_task_definition" "console" {
  count                    = local.consoles
  family                   = "${var.name}-console"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = local.console_template.cpu
  memory                   = local.console_template.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.console[0].arn
  container_definitions    = jsonencode([local.console_container, local.log_router])
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  dynamic "volume" {
    for_each = local.console_template.volumes
    content {
      name = volume.value.name
    }
  }

  lifecycle {
    precondition {
      condition     = length(var.console_token_secret_arns) > 0 || contains(keys(var.settings), "ORCA_CONSOLE__TRUSTED_PROXIES")
      error_message = "The console listens on the network: give it console_token_secret_arns, or ORCA_CONSOLE__TRUSTED_PROXIES in settings."
    }
  }
}

resource "aws_ecs_service" "console" {
  count                   = local.consoles
  name                    = "${var.name}-console"
  cluster                 = var.cluster_arn
  task_definition         = aws_ecs_task_definition.console[0].arn
  desired_count           = 1
  launch_type             = "FARGATE"
  enable_execute_command  = false
  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"
  tags                    = var.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = local.network.subnets
    security_groups  = local.network.security_groups
    assign_public_ip = local.network.assign_public_ip
  }

  dynamic "load_balancer" {
    for_each = var.console_target_group_arn == null ? [] : [var.console_target_group_arn]
    content {
      target_group_arn = load_balancer.value
      container_name   = "console"
      container_port   = 9465
    }
  }

  depends_on = [aws_iam_role_policy.console, aws_iam_role_policy_attachment.execution]
}

resource "aws_vpc_security_group_ingress_rule" "console" {
  count                        = var.console && var.console_client_security_group_id != null ? 1 : 0
  description                  = "The load balancer to the console"
  security_group_id            = aws_security_group.daemon.id
  referenced_security_group_id = var.console_client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 9465
  to_port                      = 9465
  tags                         = var.tags
}
