# Who may reach whom.

resource "aws_security_group" "daemon" {
  name        = var.name
  description = "orca-daemon"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "aws" {
  description       = "AWS's endpoints"
  security_group_id = aws_security_group.daemon.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "database" {
  description                  = "ORCA's database"
  security_group_id            = aws_security_group.daemon.id
  referenced_security_group_id = var.database_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  description                  = "orca-daemon"
  security_group_id            = var.database_security_group_id
  referenced_security_group_id = aws_security_group.daemon.id
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "metrics" {
  count                        = var.monitoring_security_group_id == null ? 0 : 1
  description                  = "Prometheus"
  security_group_id            = aws_security_group.daemon.id
  referenced_security_group_id = var.monitoring_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 9464
  to_port                      = 9464
  tags                         = var.tags
}
