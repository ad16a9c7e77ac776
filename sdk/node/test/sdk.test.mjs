// Functions of the SDK that are plain computation.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createPatchedAccountSetupAdapter } from '../plugin-sdk/setup.js';
import { sanitizeAssistantVisibleText } from '../plugin-sdk/text-chunking.js';

const VISIBLE = [
  ['plain', 'plain'],
  ['  \n pad \n ', 'pad'],
  ['<think>a</think>b', 'b'],
  ['<think>a<think>b</think>c</think>d', 'd'],
  ['x<think>unclosed', 'x'],
  ['</think>after', 'after'],
  ['a `<think>x</think>` b', 'a `<think>x</think>` b'],
  ['```\n<think>a</think>\n```', '```\n<think>a</think>\n```'],
  ['<final>ok</final>', 'ok'],
  ['<relevant-memories>m</relevant-memories>t', 't'],
  ['<tool_call>{"a":1}</tool_call>rest', 'rest'],
  ['before <tool_call>{"name":"x"', 'before'],
  ['text about <tool_call> tag', 'text about <tool_call> tag'],
  ['[Tool Call: x (ID: 1)]\nArguments: {}\nend', 'end'],
  ['[Tool Result for ID 1]\nfoo\nbar', ''],
  ['<minimax:tool_call><invoke name="a">x</invoke></minimax:tool_call>tail', 'tail'],
  ['<|assistant|>hey<|end|>', 'hey'],
];

for (const [text, expected] of VISIBLE) {
  test(`visible text of ${JSON.stringify(text)}`, () => assert.equal(sanitizeAssistantVisibleText(text), expected));
}

const ACCOUNTS = [
  // options, account, name, expected section
  [{}, 'default', undefined, { name: 'B', accounts: { x: {} }, enabled: true, tok: 't' }],
  [{}, 'foo', 'N', { accounts: { x: {}, foo: { name: 'N', enabled: true, tok: 't' }, default: { name: 'B' } }, enabled: true }],
  [{ alwaysUseAccounts: true }, 'default', undefined, { name: 'B', accounts: { x: {}, default: { enabled: true, tok: 't' } } }],
  [{ ensureChannelEnabled: false }, 'default', undefined, { name: 'B', accounts: { x: {} }, tok: 't' }],
  [{ ensureAccountEnabled: false }, 'foo', undefined, { accounts: { x: {}, default: { name: 'B' }, foo: { tok: 't' } }, enabled: true }],
];

for (const [options, accountId, name, expected] of ACCOUNTS) {
  test(`a patched account: ${JSON.stringify([options, accountId, name])}`, () => {
    const adapter = createPatchedAccountSetupAdapter({ channelKey: 'zed', buildPatch: (input) => ({ tok: input.token }), ...options });
    const cfg = { channels: { zed: { name: 'B', accounts: { x: {} } } } };
    assert.deepEqual(adapter.applyAccountConfig({ cfg, accountId, input: { token: 't', name } }), { channels: { zed: expected } });
    assert.equal(adapter.resolveAccountId({ accountId: ' Foo ' }), 'foo');
  });
}
