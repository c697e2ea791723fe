# ORCA's triggers of the queues that have moved.  ORCA's modules declare them without `enabled`, so each apply of ORCA
# enables them again; without the right to receive they read nothing (docs/migrating-from-orca-lambdas.md).

resource "aws_iam_role_policy" "lambdas_keep_off" {
  count = var.orca_lambda_role_name == null ? 0 : 1
  name  = "${var.name}-reads-these-queues"
  role  = var.orca_lambda_role_name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "TheDaemonReadsThese"
      Effect   = "Deny"
      Action   = "sqs:ReceiveMessage"
      Resource = [for queue in values(var.queues) : "${local.queue_arn}${queue.name}"]
    }]
  })
}
