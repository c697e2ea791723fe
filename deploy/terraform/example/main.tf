# A root module to copy: the daemon and its console beside an ORCA deployment with the prefix `prefix`.

terraform {
  required_version = ">= 1.7"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

provider "aws" {
  region = "us-west-2"
}

module "orca_daemon" {
  source = "../" # git::https://git.example.org/orca-daemon.git//deploy/terraform?ref=v0.1.0

  prefix      = "prefix"
  image       = "123456789012.dkr.ecr.us-west-2.amazonaws.com/orca-daemon:0.1.0"
  cluster_arn = "arn:aws:ecs:us-west-2:123456789012:cluster/orca"

  vpc_id                     = "vpc-0123456789abcdef0"
  subnet_ids                 = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  database_security_group_id = "sg-0123456789abcdef0"
  database_secret_arn        = "arn:aws:secretsmanager:us-west-2:123456789012:secret:prefix-orca-db-login-secret-AbCdEf"
  owner_secret_arn           = "arn:aws:secretsmanager:us-west-2:123456789012:secret:orca-daemon-owner-url-AbCdEf"

  # Begin with the first queue, and add the others one after another (docs/migrating-from-orca-lambdas.md).
  queues = {
    status_update = {
      name             = "prefix-orca-status-update-queue.fifo"
      dead_letter_name = "prefix-orca-status_update-deadletter-queue.fifo"
    }
    recovery = {
      name             = "prefix-orca-staged-recovery-queue"
      dead_letter_name = "prefix-orca-staged-recovery-deadletter-queue"
    }
  }
  orca_lambda_role_name = "prefix_restore_object_role"

  archive_buckets     = ["prefix-orca-archive"]
  destination_buckets = ["prefix-protected", "prefix-public"]

  console                          = true
  console_token_secret_arns        = { ops = "arn:aws:secretsmanager:us-west-2:123456789012:secret:orca-console-ops-AbCdEf" }
  console_client_security_group_id = "sg-0123456789abcdef1"
  console_target_group_arn         = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/orca-console/0123456789abcdef"
  console_hosts                    = ["orca.example.org"]

  page_topic_arns   = ["arn:aws:sns:us-west-2:123456789012:page"]
  ticket_topic_arns = ["arn:aws:sns:us-west-2:123456789012:ticket"]
  tags              = { Project = "orca" }
}

output "migrate_command" {
  value = module.orca_daemon.migrate_command
}
