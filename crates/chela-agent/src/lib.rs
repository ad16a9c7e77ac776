//! The turn: prompt, model, tools, hooks, transcript.
