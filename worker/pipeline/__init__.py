"""The line: deliveries become batches, batches become outcomes, outcomes are published and acknowledged."""
