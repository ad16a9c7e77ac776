//! Directives that a model writes into its answer: which message it answers, and what it attaches (MSG-102).

use serde_json::{Value, json};

/// Attachments of one answer.
const MOST_MEDIA: usize = 10;

/// The reply payload of an answer: its text without directives, and what they said. `None` when nothing is left to send.
pub(super) fn payload(answer: &str) -> Option<Value> {
    let mut out = json!({});
    let mut media: Vec<String> = Vec::new();
    let mut lines = Vec::new();
    let mut fenced = false;
    for line in answer.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        match line.trim_start().strip_prefix("MEDIA:").filter(|_| !fenced) {
            Some(named) => {
                let named = named.trim().trim_matches(['`', '"', '\'']).to_string();
                if is_web(&named) && !media.contains(&named) && media.len() < MOST_MEDIA {
                    media.push(named);
                } else if !is_web(&named) {
                    tracing::warn!(target: "channels", "an attachment that is no web address was not sent");
                }
            }
            None if fenced => lines.push(line.to_string()),
            None => lines.push(tags(line, &mut out)),
        }
    }
    let text = lines.join("\n").trim().to_string();
    if text.is_empty() && media.is_empty() {
        return None;
    }
    out["text"] = text.into();
    if let Some(first) = media.first() {
        out["mediaUrl"] = first.clone().into();
        out["mediaUrls"] = media.into();
    }
    Some(out)
}

/// The files of the machine are not the model's to give away: it attaches what lies in the web.
fn is_web(named: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| named.starts_with(scheme)) && !named.contains(char::is_whitespace)
}

/// Takes `[[...]]` directives out of a line.
fn tags(line: &str, out: &mut Value) -> String {
    let (mut rest, mut kept) = (line, String::new());
    while let Some(at) = rest.find("[[") {
        let Some(end) = rest[at..].find("]]") else { break };
        let tag = rest[at + 2..at + end].trim();
        let known = match tag.split_once(':') {
            None if tag == "reply_to_current" => {
                out["replyToCurrent"] = true.into();
                true
            }
            None if tag == "audio_as_voice" => {
                out["audioAsVoice"] = true.into();
                true
            }
            Some(("reply_to", id)) if !id.trim().is_empty() => {
                out["replyToId"] = id.trim().into();
                true
            }
            _ => false,
        };
        kept.push_str(&rest[..if known { at } else { at + end + 2 }]);
        rest = &rest[at + end + 2..];
        if known && kept.is_empty() {
            rest = rest.trim_start();
        }
    }
    kept.push_str(rest);
    kept.trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    // MSG-102
    #[test]
    fn directives_leave_the_text_and_say_what_they_mean() {
        let table = [
            ("plain", Some(json!({"text": "plain"}))),
            ("[[reply_to_current]] yes", Some(json!({"text": "yes", "replyToCurrent": true}))),
            ("yes [[reply_to: m1 ]]", Some(json!({"text": "yes", "replyToId": "m1"}))),
            ("see [[wiki]] and [[audio_as_voice]]", Some(json!({"text": "see [[wiki]] and", "audioAsVoice": true}))),
            ("a [[open", Some(json!({"text": "a [[open"}))),
            (
                "```\nMEDIA: https://a/b\n[[reply_to_current]]\n```",
                Some(json!({"text": "```\nMEDIA: https://a/b\n[[reply_to_current]]\n```"})),
            ),
            ("MEDIA:/etc/passwd", None),
            (" \n ", None),
        ];
        for (answer, expected) in table {
            assert_eq!(payload(answer), expected, "{answer}");
        }
        let media = payload("look\nMEDIA: `https://a/b.png`\nMEDIA:https://a/b.png").unwrap();
        assert_eq!(media, json!({"text": "look", "mediaUrl": "https://a/b.png", "mediaUrls": ["https://a/b.png"]}));
    }
}
