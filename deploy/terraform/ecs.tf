# Tasks and services.  deploy/ecs/task-definition.json is the template of all tasks.

locals {
  template  = jsondecode(file("${local.deploy}/ecs/task-definition.json"))
  container = [for each in local.template.containerDefinitions : each if each.name == "orca-daemon"][0]
  router    = [for each in local.template.containerDefinitions : each if each.name == "log-router"][0]

  environment = merge(
    { for each in local.container.environment : each.name => each.value if can(regex("^ORCA_[A-Z]+__", each.name)) },
    {
      AWS_REGION                 = local.region
      PREFIX                     = var.prefix
      ORCA_DEFAULT_BUCKET        = var.archive_buckets[0]
      DB_CONNECT_INFO_SECRET_ARN = var.database_secret_arn
      ORCA_COPIES__SOURCES       = join(",", var.archive_buckets)
      ORCA_METRICS__EMF          = tostring(var.alarms)
      ORCA_METRICS__DEPLOYMENT   = var.prefix
    },
    length(var.destination_buckets) == 0 ? {} : { ORCA_COPIES__TARGETS = join(",", var.destination_buckets) },
    length(var.reports_buckets) == 0 ? {} : {
      ORCA_RECONCILE__SOURCES = join(",", concat(var.archive_buckets, var.reports_buckets))
    },
    var.export_bucket == null ? {} : { ORCA_EXPORT__BUCKET = var.export_bucket },
    { for key, queue in var.queues : local.url_variables[key] => "${local.queue_url}${queue.name}" },
    var.settings,
  )

  log_router = merge(local.router, {
    image = var.log_router_image
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "log-router"
      }
    }
  })

  common = merge(local.container, {
    image = var.image
    logConfiguration = merge(local.container.logConfiguration, {
      options = merge(local.container.logConfiguration.options, {
        region         = local.region
        log_group_name = aws_cloudwatch_log_group.this.name
      })
    })
  })

  daemon = merge(local.common, {
    environment = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
  })

  # A task that ends by itself needs no health check.
  migration = merge({ for key, value in local.common : key => value if key != "healthCheck" }, {
    image   = coalesce(var.migration_image, var.image)
    command = ["db", "upgrade", "--yes"]
    environment = [
      { name = "AWS_REGION", value = local.region },
      { name = "DATABASE_URL", value = "secret:${coalesce(var.owner_secret_arn, "none")}" },
    ]
  })

  network = {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.daemon.id]
    assign_public_ip = false
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_ecs_task_definition" "daemon" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.daemon.arn
  container_definitions    = jsonencode([local.daemon, local.log_router])
  tags                     = var.tags

  ephemeral_storage {
    size_in_gib = var.ephemeral_storage_gib
  }

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  dynamic "volume" {
    for_each = local.template.volumes
    content {
      name = volume.value.name
    }
  }
}

resource "aws_ecs_service" "daemon" {
  name                               = var.name
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.daemon.arn
  desired_count                      = var.daemons
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_execute_command             = false
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  tags                               = var.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = local.network.subnets
    security_groups  = local.network.security_groups
    assign_public_ip = local.network.assign_public_ip
  }

  depends_on = [aws_iam_role_policy.daemon, aws_iam_role_policy_attachment.execution]
}

# Run once for each version, before the service is updated: the output migrate_command does.
resource "aws_ecs_task_definition" "migration" {
  count                    = var.owner_secret_arn == null ? 0 : 1
  family                   = "${var.name}-migration"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.migration[0].arn
  container_definitions    = jsonencode([local.migration, local.log_router])
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  dynamic "volume" {
    for_each = local.template.volumes
    content {
      name = volume.value.name
    }
  }
}
