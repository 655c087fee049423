"""The rules of worker/domain, each by what it makes of an order: through `decide`, which is where all of them meet."""
