//! Whole dispatches against a model that knows no workers: how handlers are spread over processes changes nothing.

use proptest::prelude::*;

use super::*;

/// One handler: its plugin, its priority, what it does.
type Row = (usize, i64, Act);

const PLUGINS: [&str; 3] = ["a", "b", "c"];

fn act() -> impl Strategy<Value = Act> {
    let text = || prop::sample::select(vec!["", "x", "y"]);
    let flag = || prop_oneof![Just(json!(true)), Just(json!(false)), Just(json!(1))];
    prop_oneof![
        Just(Act::Undefined),
        Just(Act::Throw("boom")),
        text().prop_map(|t| Act::Return(json!({ "content": t }))),
        text().prop_map(|t| Act::Return(json!({ "prependContext": t, "systemPrompt": t }))),
        flag().prop_map(|f| Act::Return(json!({ "block": f }))),
        flag().prop_map(|f| Act::Return(json!({ "cancel": f, "content": "last" }))),
        flag().prop_map(|f| Act::Return(json!({ "handled": f, "text": "t" }))),
        (0..3).prop_map(|n| Act::Return(json!({ "params": { "x": n } }))),
        (0..3).prop_map(|n| Act::Return(json!({ "message": { "n": n } }))),
        Just(Act::Return(json!({ "action": "revise", "reason": "r" }))),
        Just(Act::Return(json!({ "outcome": "pass" }))),
    ]
}

/// Called handlers with the events that they saw, the merged result, and whether the action is refused.
fn expected(hook: HookName, rows: &[Row], event: &Value) -> (Vec<(usize, Value)>, Value, bool) {
    // Plugins register one after another; a stable sort keeps that order among equals.
    let mut order: Vec<usize> = (0..PLUGINS.len()).flat_map(|p| (0..rows.len()).filter(move |i| rows[*i].0 == p)).collect();
    order.sort_by_key(|i| -rows[*i].1);
    let (mut seen, mut event) = (Vec::new(), event.clone());
    let mut merged = Accumulator::new(hook);
    for at in order {
        let (plugin, _, act) = &rows[at];
        seen.push((at, event.clone()));
        let (value, undefined) = match act {
            Act::Return(value) => (value.clone(), false),
            Act::Throw(_) if hook.fails_closed() => return (seen, Value::Null, true),
            Act::Throw(_) => continue,
            _ => (Value::Null, true),
        };
        let stop = merged.push(&Arc::from(PLUGINS[*plugin]), &value, undefined);
        match hook {
            HookName::MessageSending | HookName::BeforeDispatch if value["content"].is_string() => {
                event["content"] = value["content"].clone()
            }
            HookName::ToolResultPersist | HookName::BeforeMessageWrite if value["message"].is_object() => {
                event["message"] = value["message"].clone();
            }
            _ => {}
        }
        if stop {
            break;
        }
    }
    (seen, merged.finish(&SharedJson::new(event)).0, false)
}

const HOOKS: [HookName; 9] = [
    HookName::MessageSending,
    HookName::BeforeDispatch,
    HookName::BeforeToolCall,
    HookName::BeforePromptBuild,
    HookName::BeforeAgentRun,
    HookName::BeforeAgentFinalize,
    HookName::ToolResultPersist,
    HookName::BeforeMessageWrite,
    HookName::ReplyDispatch,
];

proptest! {
    // HOOK-088..091, HOOK-105, HOOK-106, HOOK-109, HOOK-110: `workers` says which plugins live together.
    #[test]
    fn a_dispatch_is_the_same_however_plugins_are_grouped(
        hook in prop::sample::select(HOOKS.to_vec()),
        rows in prop::collection::vec((0..3_usize, -1..2_i64, act()), 0..7),
        workers in prop::array::uniform3(1..4_u64),
    ) {
        let event = json!({"content": "original", "params": {"keep": true}, "message": {"role": "user"}});
        let acts: Vec<(u64, Act)> = rows.iter().enumerate().map(|(i, (_, _, act))| (i as u64, act.clone())).collect();
        let made: Vec<_> = (1..4).map(|key| Worker::new(key, &acts)).collect();
        let calls = |p: usize| rows.iter().enumerate().filter(|(_, r)| r.0 == p).map(|(i, r)| on(hook.as_str(), i as u64, r.1)).collect::<Vec<_>>();
        let plugins: Vec<_> = (0..3).map(|p| (PLUGINS[p], &made[workers[p] as usize - 1], calls(p))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let done = runtime.block_on(async {
            let engine = HookEngine::new(registry(&plugins));
            engine.dispatch(hook, event.clone(), json!({}), DispatchOptions::default()).await
        });
        let (seen, merged, refused) = expected(hook, &rows, &event);
        prop_assert_eq!(done.refused, refused);
        prop_assert_eq!(done.called, seen.len());
        if !refused {
            prop_assert_eq!(&done.merged, &merged);
        }
        for worker in &made {
            let mine: Vec<&Value> = seen.iter().filter(|(i, _)| Arc::ptr_eq(&made[workers[rows[*i].0] as usize - 1], worker)).map(|(_, e)| e).collect();
            let told = worker.seen();
            prop_assert_eq!(told.iter().collect::<Vec<_>>(), mine);
        }
    }
}
