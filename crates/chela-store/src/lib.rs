//! Durable state: SQLite journal and sessions, transcripts as JSONL, sessions.json.
