//! Model provider transports: OpenAI chat completions and Anthropic messages, streaming, retries, typed errors.
