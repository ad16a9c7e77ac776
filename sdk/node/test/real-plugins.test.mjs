// Published plugins, unpacked below CHELA_REAL_PLUGINS_DIR (`npm pack`, then `npm install` in each): what they register.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { FakeHost, rows } from './fake-host.mjs';

const directory = process.env.CHELA_REAL_PLUGINS_DIR;
const skip = directory && fs.existsSync(directory) ? false : 'CHELA_REAL_PLUGINS_DIR is not set';

const PLUGINS = [
  ['projectavatar-openclaw-avatar-2.2.0', 'src/index.ts', {
    on: ['message_received', 'before_tool_call', 'after_tool_call', 'agent_end', 'session_end', 'before_prompt_build'],
    registerTool: ['avatar_signal', 'avatar_commands'],
  }],
  ['mindfoldhq-oh-my-openclaw-0.1.11', 'src/index.ts', {
    registerCli: ['omo-init'], on: ['before_prompt_build', 'before_prompt_build'], registerCommand: ['fb', 'watchers'], registerService: ['watchers'],
  }],
  ['ollama-openclaw-web-search-0.2.2', 'index.ts', { registerTool: ['ollama_web_search', 'ollama_web_fetch'] }],
  ['claude-mem-13.25.3/openclaw', 'dist/index.js', {
    on: ['session_start', 'message_received', 'after_compaction', 'before_agent_start', 'before_prompt_build', 'tool_result_persist', 'agent_end', 'session_end', 'gateway_start'],
    registerService: ['claude-mem-observation-feed'],
    registerCommand: ['claude_mem_feed', 'claude-mem-search', 'claude-mem-recent', 'claude-mem-timeline', 'claude_mem_status'],
  }],
  ['calltelemetry-openclaw-linear-0.9.29', 'dist/index.js', {
    registerProvider: ['linear'], registerCli: ['openclaw-linear'], registerCommand: ['dispatch'],
    registerHttpRoute: ['/linear/webhook', '/hooks/linear', '/linear/oauth/callback'], registerService: ['linear-dispatch-monitor'],
    registerGatewayMethod: ['dispatch.list', 'dispatch.get', 'dispatch.retry', 'dispatch.escalate', 'dispatch.cancel', 'dispatch.stats'],
    on: ['agent_end', 'subagent_ended', 'session_start', 'session_end', 'after_compaction', 'before_reset', 'before_prompt_build', 'before_tool_call', 'message_sending'],
  }],
  ['robertogongora-graphiti-0.6.2', 'index.ts', {
    registerContextEngine: ['graphiti'], on: ['session_start', 'after_tool_call'], registerCli: ['graphiti', 'memory'], registerCommand: ['graphiti'], registerService: ['graphiti'],
  }],
  ['jiggai-kitchen-0.6.3', 'openclaw/index.ts', { registerCli: ['kitchen'], on: ['gateway_start', 'gateway_stop'] }],
  ['openclaw-matrix-2026.5.12', 'dist/index.js', {
    registerChannel: ['matrix'], registerCli: ['matrix'],
    registerGatewayMethod: ['matrix.verify.recoveryKey', 'matrix.verify.bootstrap', 'matrix.verify.status'],
    on: ['subagent_spawning', 'subagent_ended', 'subagent_delivery_target'],
  }],
  ['openclaw-bluebubbles-2026.5.7', 'dist/index.js', { registerChannel: ['bluebubbles'] }],
  ['openclaw-discord-2026.6.11', 'dist/index.js', {
    registerChannel: ['discord'], on: ['subagent_ended', 'subagent_delivery_target'], registerTranscriptSourceProvider: ['discord-voice'],
  }],
  ['openclaw-googlechat-2026.6.11', 'dist/index.js', { registerChannel: ['googlechat'] }],
  ['openclaw-msteams-2026.6.11', 'dist/index.js', { registerChannel: ['msteams'] }],
  ['openclaw-nextcloud-talk-2026.6.11', 'dist/index.js', { registerChannel: ['nextcloud-talk'] }],
  ['openclaw-nostr-2026.6.11', 'dist/index.js', { registerChannel: ['nostr'], registerHttpRoute: ['/api/channels/nostr'] }],
  ['openclaw-tlon-2026.6.11', 'dist/index.js', { registerChannel: ['tlon'] }],
  ['openclaw-twitch-2026.6.11', 'dist/index.js', { registerChannel: ['twitch'] }],
  ['openclaw-whatsapp-2026.6.1', 'dist/index.js', { registerChannel: ['whatsapp'] }],
  ['openclaw-zalo-2026.6.11', 'dist/index.js', { registerChannel: ['zalo'] }],
];

function nameOf({ method, args: [first, options] }) {
  if (method === 'registerCli') return options?.commands?.[0] ?? options?.descriptors?.[0]?.name;
  if (typeof first === 'string') return first;
  return first.name && !method.endsWith('Provider') ? first.name : (first.id ?? first.path ?? first.plugin?.id);
}

for (const [name, entry, expected] of PLUGINS) {
  test(`${name} registers what it does on the reference`, { skip: skip || (fs.existsSync(path.join(directory, name)) ? false : 'not unpacked') }, async () => {
    const host = new FakeHost();
    try {
      await host.hello;
      const loaded = await host.load(path.join(directory, name), entry);
      for (const [method, names] of Object.entries(expected)) {
        const seen = rows(loaded, method).map((row) => (method === 'registerService' ? row.args[0].id : nameOf(row)));
        assert.deepEqual(seen, names, method);
      }
    } finally {
      await host.stop();
    }
  });
}
