"""All that is RabbitMQ."""
