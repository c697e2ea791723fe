output "security_group_id" {
  description = "The security group of the tasks."
  value       = aws_security_group.daemon.id
}

output "log_group_name" {
  description = "The log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "task_role_arn" {
  description = "The daemon's role, for the policies of buckets, queues and keys in other accounts."
  value       = aws_iam_role.daemon.arn
}

output "migrate_command" {
  description = "Runs the migration of the database; null without owner_secret_arn."
  value = var.owner_secret_arn == null ? null : join(" ", [
    "aws ecs run-task --launch-type FARGATE --cluster ${var.cluster_arn}",
    "--task-definition ${aws_ecs_task_definition.migration[0].arn}",
    "--network-configuration 'awsvpcConfiguration={subnets=[${join(",", var.subnet_ids)}],securityGroups=[${aws_security_group.daemon.id}]}'",
  ])
}
