"""What well-known sources about learning-rate schedules claim, tried out with lehr's engine."""
