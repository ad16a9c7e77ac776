//! Tasks of `HEARTBEAT.md`: a block `tasks:` of names, intervals and prompts, each done when its interval is over.

use chela_config::units::parse_duration_ms;
use serde_json::{Map, Value};

/// Most tasks that are read of one file.
const MOST_TASKS: usize = 100;

/// One task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) name: String,
    interval: String,
    prompt: String,
}

impl Task {
    /// True when it was never done, or its interval is over. An interval that is no duration never is, once it was done.
    pub(super) fn is_due(&self, last_ms: Option<i64>, now_ms: i64) -> bool {
        let Some(last) = last_ms else { return true };
        let interval = parse_duration_ms(&self.interval, "m").and_then(|ms| i64::try_from(ms).ok());
        interval.is_some_and(|interval| now_ms.saturating_sub(last) >= interval)
    }
}

/// The tasks in a file; one without a name, an interval or a prompt is left out.
pub(super) fn parse(text: &str) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    for line in block(text).0 {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix("- name:") {
            tasks.push(Task { name: unquoted(name), interval: String::new(), prompt: String::new() });
        } else if let Some(task) = tasks.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            if let Some(interval) = trimmed.strip_prefix("interval:") {
                task.interval = unquoted(interval);
            } else if let Some(prompt) = trimmed.strip_prefix("prompt:") {
                task.prompt = unquoted(prompt);
            }
        }
    }
    tasks.retain(|task| !task.name.is_empty() && !task.interval.is_empty() && !task.prompt.is_empty());
    tasks.truncate(MOST_TASKS);
    tasks
}

/// What the agent is asked: the due tasks, and what else the file says.
pub(super) fn prompt(due: &[&Task], text: &str) -> String {
    let list: Vec<String> = due.iter().map(|task| format!("- {}: {}", task.name, task.prompt)).collect();
    let mut out = format!("Do these tasks now, whose time has come:\n\n{}\n\nWhen all are done, answer HEARTBEAT_OK.", list.join("\n"));
    let rest = block(text).1.join("\n");
    if !rest.trim().is_empty() {
        out.push_str(&format!("\n\nWhat else HEARTBEAT.md says:\n{}", rest.trim()));
    }
    out
}

/// When each task was done last, as the session's row has it.
pub(super) fn done_at(state: &Value, task: &Task) -> Option<i64> {
    state.get(&task.name)?.as_i64()
}

/// The state after these tasks were done; tasks that the file has no more are forgotten.
pub(super) fn after(state: &Value, tasks: &[Task], done: &[String], now_ms: i64) -> Value {
    let mut out = Map::new();
    for task in tasks {
        let at = if done.contains(&task.name) { Some(now_ms) } else { done_at(state, task) };
        if let Some(at) = at {
            out.insert(task.name.clone(), at.into());
        }
    }
    out.into()
}

/// Lines of the block, and all others. It ends with a line that is neither indented nor an item.
fn block(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut inside, mut outside, mut open) = (Vec::new(), Vec::new(), false);
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed == "tasks:" && !open {
            open = true;
            continue;
        }
        if open && !trimmed.is_empty() && !line.starts_with([' ', '\t']) && !trimmed.starts_with('-') {
            open = false;
        }
        if open { inside.push(line) } else { outside.push(line) }
    }
    (inside, outside)
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FILE: &str = "# Notes\nBe brief.\n\ntasks:\n\n- name: inbox\n  interval: 30m\n  prompt: \"Look for mail: reply\"\n- name: half\n  \
                        interval: 1h\n- name: 'news'\n\tinterval: 2h\n\tprompt: Read the news\n\nSpeak English.\n";

    #[test]
    fn a_block_of_tasks_is_read() {
        let tasks = parse(FILE);
        let names: Vec<_> = tasks.iter().map(|t| (t.name.as_str(), t.interval.as_str(), t.prompt.as_str())).collect();
        assert_eq!(names, [("inbox", "30m", "Look for mail: reply"), ("news", "2h", "Read the news")]);
        assert!(parse("tasks\n- name: x\n  interval: 1m\n  prompt: p\n").is_empty());
    }

    #[test]
    fn a_task_is_due_when_its_interval_is_over() {
        let tasks = parse(FILE);
        let minutes = |n: i64| n * 60_000;
        assert!(tasks[0].is_due(None, 0));
        assert!(!tasks[0].is_due(Some(0), minutes(29)) && tasks[0].is_due(Some(0), minutes(30)));
        let odd = Task { interval: "soon".into(), ..tasks[0].clone() };
        assert!(odd.is_due(None, 0) && !odd.is_due(Some(0), minutes(999)));
        let state = after(&json!({"inbox": 1, "news": 2, "gone": 3}), &tasks, &["inbox".into()], 9);
        assert_eq!(state, json!({"inbox": 9, "news": 2}));
    }

    #[test]
    fn the_prompt_names_due_tasks_and_the_rest_of_the_file() {
        let tasks = parse(FILE);
        let text = prompt(&[&tasks[1]], FILE);
        assert!(text.contains("- news: Read the news") && !text.contains("inbox"), "{text}");
        assert!(text.contains("Be brief.") && text.ends_with("Speak English.") && !text.contains("interval"), "{text}");
    }
}
