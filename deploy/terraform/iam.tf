# Roles.  What the daemon and the console may do is in the policy files of deploy/iam, which tests hold to the code;
# only the resources are put in here, by the statement's Sid.

locals {
  resources = {
    ConsumeQueues         = local.queue_arns
    ReadArchiveAndReports = [for bucket in local.buckets : "${local.s3}${bucket}/*"]
    RestoreFromArchive    = [for bucket in var.archive_buckets : "${local.s3}${bucket}/*"]
    WriteCopiesAndExports = [for bucket in local.written : "${local.s3}${bucket}/*"]
    StageForSpark         = [for place in local.stages : "${local.s3}${place}/*"]
    ListBuckets           = [for bucket in concat(local.buckets, [for place in local.stages : split("/", place)[0]]) : "${local.s3}${bucket}"]
    ReadSecrets           = concat([var.database_secret_arn], local.setting_secret_arns)
    ReadParameters        = ["arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${var.prefix}-orca-*"]
    AnswerStateMachines   = var.state_machine_arns
    UseKeys               = var.kms_key_arns
  }

  # BUCKET/PREFIX where comparisons in Spark leave files; a stage that is a directory needs no rights.
  stages = [
    for place in compact([lookup(var.settings, "ORCA_RECONCILE__STAGE", "")]) :
    trimsuffix(trimprefix(place, "s3://"), "/") if startswith(place, "s3://")
  ]

  setting_secret_arns = [for value in values(var.settings) : substr(value, 7, -1) if startswith(value, "secret:")]

  policy = jsondecode(replace(file("${local.deploy}/iam/policy.json"), "REGION", local.region))
  statements = [
    for statement in local.policy.Statement : merge(statement, { Resource = local.resources[statement.Sid] })
    if length(local.resources[statement.Sid]) > 0
  ]

  assume = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })

  # FireLens writes the log with the task's role.
  write_log = {
    Sid      = "WriteLog"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_iam_role" "execution" {
  name                 = "${var.name}-execution"
  assume_role_policy   = local.assume
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role" "daemon" {
  name                 = var.name
  assume_role_policy   = local.assume
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "daemon" {
  name = "daemon"
  role = aws_iam_role.daemon.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.statements, [local.write_log])
  })
}

# The migration connects as the owner of the schema, which the daemon must not be able to.
resource "aws_iam_role" "migration" {
  count                = var.owner_secret_arn == null ? 0 : 1
  name                 = "${var.name}-migration"
  assume_role_policy   = local.assume
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "migration" {
  count = var.owner_secret_arn == null ? 0 : 1
  name  = "migration"
  role  = aws_iam_role.migration[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "ReadOwnerSecret"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [var.owner_secret_arn]
      }],
      [for statement in local.statements : statement if statement.Sid == "UseKeys"],
      [local.write_log],
    )
  })
}
