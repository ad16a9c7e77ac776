//! The merge rules that are not about tools and texts, each against a few lines that say the same of the whole list.

use super::*;

fn run(hook: HookName, results: &[Value]) -> (Value, usize) {
    let named: Vec<_> = results.iter().map(|r| ("p", r.clone())).collect();
    let (merged, _, called) = merge(hook, &Value::Null, &named);
    (merged, called)
}

fn word() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![json!("x"), json!("y"), Value::Null])
}

fn flag() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![json!(true), json!(false), json!("yes"), json!(""), json!(0), json!(1), Value::Null])
}

fn holds(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && *value != json!("") && *value != json!(0)
}

proptest! {
    // HOOK-012: the first value of each field.
    #[test]
    fn models(results in prop::collection::vec((word(), word()), 0..6)) {
        let all: Vec<Value> = results.iter().map(|(m, p)| json!({"modelOverride": m, "providerOverride": p})).collect();
        let (merged, called) = run(HookName::BeforeModelResolve, &all);
        prop_assert_eq!(called, all.len());
        for field in ["modelOverride", "providerOverride"] {
            let first = all.iter().map(|r| &r[field]).find(|v| !v.is_null());
            prop_assert_eq!(merged.get(field), first);
        }
    }

    // HOOK-012..016: texts are joined in order, of the rest the first counts; each hook has its own fields.
    #[test]
    fn prompts(results in prop::collection::vec(prop::collection::vec(word(), 7), 0..6)) {
        const JOINED: [&str; 4] = ["prependContext", "appendContext", "prependSystemContext", "appendSystemContext"];
        const FIRST: [&str; 3] = ["systemPrompt", "modelOverride", "providerOverride"];
        let all: Vec<Value> =
            results.iter().map(|row| JOINED.iter().chain(&FIRST).map(|name| name.to_string()).zip(row.iter().cloned()).collect()).collect();
        for (hook, joined, first) in [
            (HookName::AgentTurnPrepare, &JOINED[..2], &FIRST[..0]),
            (HookName::HeartbeatPromptContribution, &JOINED[..2], &FIRST[..0]),
            (HookName::BeforePromptBuild, &JOINED[..], &FIRST[..1]),
            (HookName::BeforeAgentStart, &JOINED[..], &FIRST[..]),
        ] {
            let (merged, called) = run(hook, &all);
            prop_assert_eq!(called, all.len());
            let texts = |name: &str| all.iter().filter_map(|r| r[name].as_str()).map(str::to_string).collect::<Vec<_>>();
            let mut expected = serde_json::Map::new();
            for name in joined {
                expected.extend((!texts(name).is_empty()).then(|| (name.to_string(), texts(name).join("\n\n").into())));
            }
            for name in first {
                expected.extend(texts(name).into_iter().next().map(|text| (name.to_string(), text.into())));
            }
            let got = merged.as_object().cloned().unwrap_or_default();
            prop_assert_eq!(got, expected, "{}", hook.as_str());
        }
    }

    // HOOK-018, HOOK-036, HOOK-037, HOOK-301: the first that takes it, else the last rewrite.
    #[test]
    fn claims(results in prop::collection::vec((flag(), word()), 0..6)) {
        let all: Vec<Value> = results.iter().map(|(h, c)| json!({"handled": h, "content": c})).collect();
        let taken = all.iter().position(|r| holds(&r["handled"]));
        for hook in [HookName::BeforeDispatch, HookName::ReplyDispatch, HookName::BeforeAgentReply, HookName::InboundClaim] {
            let (merged, called) = run(hook, &all);
            prop_assert_eq!(called, taken.map_or(all.len(), |at| at + 1));
            let rewrite = all.iter().rfind(|r| r["content"].is_string()).filter(|_| hook == HookName::BeforeDispatch);
            let expected = match (taken, rewrite) {
                (Some(at), _) => all[at].clone(),
                (None, Some(last)) => json!({"content": last["content"]}),
                (None, None) => Value::Null,
            };
            prop_assert_eq!(merged, expected);
        }
    }

    // HOOK-047: findings of all that were asked, a block ends the list.
    #[test]
    fn installs(results in prop::collection::vec((prop::collection::vec(0..9, 0..3), flag(), word()), 0..6)) {
        let all: Vec<Value> = results.iter().map(|(f, b, r)| json!({"findings": f, "block": b, "blockReason": r})).collect();
        let (merged, called) = run(HookName::BeforeInstall, &all);
        let stop = all.iter().position(|r| r["block"] == true);
        prop_assert_eq!(called, stop.map_or(all.len(), |at| at + 1));
        let found: Vec<Value> = all[..called].iter().flat_map(|r| r["findings"].as_array().unwrap().clone()).collect();
        prop_assert_eq!(merged.get("findings").cloned().unwrap_or_else(|| json!([])), json!(found));
        prop_assert_eq!(merged.get("block").is_some(), stop.is_some());
        prop_assert_eq!(merged.get("blockReason"), all[..called].iter().map(|r| &r["blockReason"]).rfind(|v| v.is_string()));
    }

    // HOOK-019, HOOK-153: finalize, else all revisions, else the last word.
    #[test]
    fn finalizes(results in prop::collection::vec((prop::sample::select(vec!["continue", "revise", "finalize", "other"]), word()), 0..6)) {
        let all: Vec<Value> = results.iter().map(|(a, r)| json!({"action": a, "reason": r})).collect();
        let (merged, called) = run(HookName::BeforeAgentFinalize, &all);
        prop_assert_eq!(called, all.len());
        let of = |action: &str| all.iter().filter(|r| r["action"] == action).collect::<Vec<_>>();
        let (finals, revisions, goes_on) = (of("finalize"), of("revise"), of("continue"));
        let reasons = |rows: &[&Value]| rows.iter().filter_map(|r| r["reason"].as_str()).collect::<Vec<_>>().join("\n\n");
        let (action, reason) = match (finals.first(), revisions.is_empty(), goes_on.last()) {
            (Some(first), ..) => ("finalize", reasons(&[first])),
            (None, false, _) => ("revise", reasons(&revisions)),
            (None, true, Some(last)) => ("continue", reasons(&[last])),
            (None, true, None) => {
                prop_assert_eq!(merged, Value::Null);
                return Ok(());
            }
        };
        prop_assert_eq!(&merged["action"], action);
        prop_assert_eq!(merged.get("reason").and_then(Value::as_str).unwrap_or_default(), reason);
    }

    // HOOK-040, HOOK-041, HOOK-304: the first error stays, though all are asked.
    #[test]
    fn spawns(results in prop::collection::vec((prop::sample::select(vec!["ok", "error", ""]), flag(), word()), 0..6)) {
        let all: Vec<Value> =
            results.iter().map(|(s, t, o)| json!({"status": s, "threadBindingReady": t, "deliveryOrigin": o, "origin": o})).collect();
        let (merged, called) = run(HookName::SubagentSpawning, &all);
        prop_assert_eq!(called, all.len());
        if let Some(error) = all.iter().find(|r| r["status"] == "error") {
            prop_assert_eq!(&merged, error);
        } else if !all.is_empty() {
            prop_assert_eq!(&merged["threadBindingReady"], &json!(all.iter().any(|r| holds(&r["threadBindingReady"]))));
            prop_assert_eq!(merged.get("deliveryOrigin"), all.iter().map(|r| &r["deliveryOrigin"]).find(|v| v.is_string()));
        }
        let (target, _) = run(HookName::SubagentDeliveryTarget, &all);
        prop_assert_eq!(&target, all.iter().find(|r| r["origin"].is_string()).unwrap_or(&Value::Null));
    }

    // HOOK-027, HOOK-028: the last message, unless somebody blocks.
    #[test]
    fn writes(results in prop::collection::vec((prop::option::of(0..9), flag()), 0..6)) {
        let message = |n: &Option<i32>| n.map_or(Value::Null, |n| json!({ "n": n }));
        let all: Vec<Value> = results.iter().map(|(m, b)| json!({"message": message(m), "block": b})).collect();
        let last = |rows: &[Value]| rows.iter().map(|r| r["message"].clone()).rfind(Value::is_object).map_or(Value::Null, |m| json!({ "message": m }));
        prop_assert_eq!(run(HookName::ToolResultPersist, &all), (last(&all), all.len()));
        let (merged, called) = run(HookName::BeforeMessageWrite, &all);
        match all.iter().position(|r| holds(&r["block"])) {
            Some(at) => prop_assert_eq!((merged, called), (json!({"block": true}), at + 1)),
            None => prop_assert_eq!((merged, called), (last(&all), all.len())),
        }
    }

    // 2026.6.11: the last payload, until somebody cancels; variables by name, the last one wins.
    #[test]
    fn answers_and_variables(results in prop::collection::vec((prop::option::of(0..9), flag()), 0..6)) {
        let payload = |n: &Option<i32>| n.map_or(Value::Null, |n| json!({ "n": n }));
        let all: Vec<Value> = results.iter().map(|(n, c)| json!({"payload": payload(n), "cancel": c})).collect();
        let (merged, called) = run(HookName::ReplyPayloadSending, &all);
        prop_assert_eq!(called, all.iter().position(|r| r["cancel"] == true).map_or(all.len(), |at| at + 1));
        prop_assert_eq!(merged.get("payload"), all[..called].iter().map(|r| &r["payload"]).rfind(|p| p.is_object()));
        let named: Vec<Value> = results.iter().map(|(n, _)| json!({"A": n.map(|n| n.to_string())})).collect();
        let (merged, called) = run(HookName::ResolveExecEnv, &named);
        prop_assert_eq!(called, named.len());
        prop_assert_eq!(merged.get("A"), named.iter().map(|r| &r["A"]).rfind(|a| a.is_string()));
    }

    // HOOK-017, HOOK-143..146: a block ends the list, whatever is invalid blocks.
    #[test]
    fn gates(results in prop::collection::vec(prop::sample::select(vec![
        json!({"outcome": "pass"}), json!({"outcome": "block", "reason": "r"}), json!({"outcome": "pass", "x": 1}), json!("pass"), Value::Null,
    ]), 0..6)) {
        let (merged, called) = run(HookName::BeforeAgentRun, &results);
        let bad = results.iter().position(|r| *r != json!({"outcome": "pass"}));
        prop_assert_eq!(called, bad.map_or(results.len(), |at| at + 1));
        let outcome = if results.is_empty() { None } else { Some(if bad.is_some() { "block" } else { "pass" }) };
        prop_assert_eq!(merged.get("outcome").and_then(Value::as_str), outcome);
    }
}

/// Hooks whose results are merged, each with a property test here or beside.
const MODELLED: [HookName; 20] = [
    HookName::BeforeModelResolve,
    HookName::AgentTurnPrepare,
    HookName::HeartbeatPromptContribution,
    HookName::BeforePromptBuild,
    HookName::BeforeAgentStart,
    HookName::BeforeAgentRun,
    HookName::BeforeAgentReply,
    HookName::BeforeAgentFinalize,
    HookName::BeforeToolCall,
    HookName::ToolResultPersist,
    HookName::BeforeMessageWrite,
    HookName::InboundClaim,
    HookName::BeforeDispatch,
    HookName::ReplyDispatch,
    HookName::MessageSending,
    HookName::SubagentSpawning,
    HookName::SubagentDeliveryTarget,
    HookName::BeforeInstall,
    HookName::ReplyPayloadSending,
    HookName::ResolveExecEnv,
];

#[test]
fn every_hook_whose_results_count_has_a_model() {
    for hook in HookName::ALL.iter().filter(|hook| hook.mode() != DispatchMode::Parallel) {
        assert!(MODELLED.contains(hook), "{}: add a model of its merge rule", hook.as_str());
    }
}
