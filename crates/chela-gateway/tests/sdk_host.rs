//! SDK functions that ask the gateway, called by plugins in real workers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::Home;
use serde_json::json;

/// An internal event that one plugin triggers reaches the handlers of another one, and what they say comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_internal_event_of_a_plugin_reaches_all_listeners() {
    let mut home = Home::new().await;
    home.plugin(
        "listener",
        "export default (api) => api.registerHook('message:received', (event) => { event.messages.push(`heard ${event.context.content} in ${event.sessionKey}`); }, { name: 'listener' });",
    );
    home.plugin(
        "speaker",
        "import { createInternalHookEvent, registerInternalHook, triggerInternalHook } from 'openclaw/plugin-sdk/hook-runtime';
         registerInternalHook('message', (event) => { event.messages.push('own'); });
         export default (api) => api.registerGatewayMethod('speaker.speak', async ({ respond }) => {
           const event = createInternalHookEvent('message', 'received', 'agent:main:main', { from: 'f', content: 'hello', channelId: 'c' });
           await triggerInternalHook(event);
           respond(true, { messages: event.messages });
         }, { scope: 'operator.write' });",
    );
    let live = home.start_cold().await;
    live.plugins_up().await;
    let mut client = live.client().await;
    let said = client.ok("speaker.speak", json!({})).await;
    assert_eq!(said["messages"], json!(["own", "heard hello in agent:main:main"]));
    live.stop().await;
}
