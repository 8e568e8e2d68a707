"""What writes docs/evidence: pages whose every sentence follows from reports."""
