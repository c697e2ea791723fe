# README.md has a table of these variables; `./dev docs` writes it, and a test compares it.

variable "name" {
  type        = string
  default     = "orca-daemon"
  description = "Name of the service, and first part of the names of all that the module makes."
}

variable "prefix" {
  type        = string
  description = "Prefix of the ORCA deployment (Cumulus's `prefix`)."
}

variable "image" {
  type        = string
  description = "The daemon's image, with a tag or a digest; `docker build` makes it (docs/deploy.md)."
}

variable "migration_image" {
  type        = string
  default     = null
  description = "Image of the migration; null: `image`. Give the new version here first, run the migration, then give it to `image`."
}

variable "cluster_arn" {
  type        = string
  description = "ARN of the ECS cluster."
}

variable "vpc_id" {
  type        = string
  description = "The VPC of ORCA's database."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets from which the database and AWS's endpoints can be reached."
}

variable "database_security_group_id" {
  type        = string
  description = "Security group of ORCA's database; the module adds a rule that lets the daemon in."
}

variable "database_port" {
  type        = number
  default     = 5432
  description = "Port of the database."
}

variable "database_secret_arn" {
  type        = string
  description = "ARN of the secret with the database's address (`PREFIX-orca-db-login-secret`)."
}

variable "owner_secret_arn" {
  type        = string
  default     = null
  description = "ARN of a secret whose text is the URL of the database as the owner of the schema; the migration alone reads it. Null: no task for the migration."
}

variable "queues" {
  type = map(object({
    name             = string
    dead_letter_name = optional(string)
  }))
  description = "The queues that the daemon reads (`status_update`, `recovery`, `internal_report`, `catalog`, `restore`), each with the name in SQS and that of its dead-letter queue."

  validation {
    condition     = length(setsubtract(keys(var.queues), ["status_update", "recovery", "internal_report", "catalog", "restore"])) == 0
    error_message = "Keys of queues are status_update, recovery, internal_report, catalog and restore; bind others with settings."
  }

  validation {
    condition     = length(var.queues) > 0
    error_message = "The daemon needs a queue to read."
  }
}

variable "other_queue_names" {
  type        = list(string)
  default     = []
  description = "Names of further queues that the settings bind (`ORCA_QUEUES__NAME__URL`), and of their dead-letter queues."
}

variable "archive_buckets" {
  type        = list(string)
  description = "Buckets of the archive; the first is that of restores that name none."

  validation {
    condition     = length(var.archive_buckets) > 0
    error_message = "Name a bucket of the archive."
  }
}

variable "destination_buckets" {
  type        = list(string)
  default     = []
  description = "Buckets to which files are copied."
}

variable "reports_buckets" {
  type        = list(string)
  default     = []
  description = "Buckets with inventories to compare."
}

variable "export_bucket" {
  type        = string
  default     = null
  description = "Bucket for exports of tables; null: none."
}

variable "kms_key_arns" {
  type        = list(string)
  default     = []
  description = "KMS keys of the buckets, queues and secrets."
}

variable "state_machine_arns" {
  type        = list(string)
  default     = []
  description = "State machines that wait for the answer to a restore."
}

variable "settings" {
  type        = map(string)
  default     = {}
  description = "Further settings, by environment name (`ORCA_ENGINE__HELD`); they win over the module's own. Secrets as `secret:ARN` or `ssm:NAME`."
}

variable "daemons" {
  type        = number
  default     = 1
  description = "Number of daemons."
}

variable "cpu" {
  type        = number
  default     = 1024
  description = "CPU units of one task."
}

variable "memory" {
  type        = number
  default     = 3072
  description = "MiB of memory of one task."
}

variable "ephemeral_storage_gib" {
  type        = number
  default     = 30
  description = "GiB of disk of one task, for comparisons that do not fit into memory."
}

variable "monitoring_security_group_id" {
  type        = string
  default     = null
  description = "Security group that may read metrics at port 9464; null: none."
}

variable "console" {
  type        = bool
  default     = false
  description = "Whether the console runs too, as a service of its own."
}

variable "console_token_secret_arns" {
  type        = map(string)
  default     = {}
  description = "Name of a person or program to the ARN of the secret with its token."
}

variable "console_client_security_group_id" {
  type        = string
  default     = null
  description = "Security group that may reach the console at port 9465: that of the load balancer. Null: none."
}

variable "console_target_group_arn" {
  type        = string
  default     = null
  description = "Target group (type `ip`, HTTP, health check at `/livez`) of a load balancer for the console; null: none."
}

variable "console_hosts" {
  type        = list(string)
  default     = []
  description = "Names by which browsers reach the console."
}

variable "console_actions" {
  type        = bool
  default     = false
  description = "Whether people with a token may act in the console, and not only read."
}

variable "log_retention_days" {
  type        = number
  default     = 30
  description = "Days for which CloudWatch keeps the log."
}

variable "log_kms_key_arn" {
  type        = string
  default     = null
  description = "KMS key of the log group; null: CloudWatch's own."
}

variable "log_router_image" {
  type        = string
  default     = "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable"
  description = "Image of FireLens's log router."
}

variable "alarms" {
  type        = bool
  default     = true
  description = "Whether the alarms of deploy/cloudwatch/alarms.json are made, and the metrics that they need are written."
}

variable "page_topic_arns" {
  type        = list(string)
  default     = []
  description = "SNS topics for alarms that cannot wait."
}

variable "ticket_topic_arns" {
  type        = list(string)
  default     = []
  description = "SNS topics for alarms that can wait a day."
}

variable "dead_letter_retention_seconds" {
  type        = number
  default     = 345600
  description = "Retention of the dead-letter queues; an alarm rises when half of it has passed."
}

variable "orca_lambda_role_name" {
  type        = string
  default     = null
  description = "Role of ORCA's Lambdas: it is denied to receive from `queues`, so that triggers that an apply of ORCA enables again read nothing (docs/migrating-from-orca-lambdas.md). Null: ORCA's triggers are kept off in another way."
}

variable "permissions_boundary_arn" {
  type        = string
  default     = null
  description = "Permissions boundary of the roles (NGAP requires one)."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of all resources."
}
