// Subpaths of accounts and access, channels, reply and outbound that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'account-core', // SUB-042
  'account-helpers', // SUB-043
  'account-id', // SUB-044
  'account-resolution', // SUB-045
  'account-resolution-runtime', // SUB-046
  'access-groups', // SUB-047
  'allow-from', // SUB-048
  'allowlist-config-edit', // SUB-049
  'group-access', // SUB-050
  'group-activation', // SUB-051
  'direct-dm', // SUB-052
  'direct-dm-access', // SUB-053
  'direct-dm-guard-policy', // SUB-054
  'dangerous-name-runtime', // SUB-055
  'command-gating', // SUB-058
  'command-detection', // SUB-059
  'command-primitives-runtime', // SUB-060
  'command-surface', // SUB-063
  'context-visibility-runtime', // SUB-064
  'channel-plugin-common', // SUB-065
  'channel-contract', // SUB-066
  'channel-config-schema', // SUB-067
  'channel-config-schema-legacy', // SUB-068
  'bundled-channel-config-schema', // SUB-069
  'channel-config-primitives', // SUB-070
  'channel-config-helpers', // SUB-071
  'channel-config-writes', // SUB-072
  'channel-envelope', // SUB-074
  'channel-feedback', // SUB-075
  'channel-inbound', // SUB-076
  'channel-inbound-debounce', // SUB-077
  'channel-inbound-roots', // SUB-078
  'channel-ingress-runtime', // SUB-080
  'channel-lifecycle', // SUB-081
  'channel-location', // SUB-082
  'channel-logging', // SUB-083
  'channel-mention-gating', // SUB-084
  'channel-policy', // SUB-089
  'channel-reply-options-runtime', // SUB-090
  'channel-reply-pipeline', // SUB-091
  'channel-route', // SUB-092
  'channel-runtime-context', // SUB-094
  'channel-secret-basic-runtime', // SUB-095
  'channel-secret-runtime', // SUB-096
  'channel-secret-tts-runtime', // SUB-097
  'channel-send-result', // SUB-098
  'channel-status', // SUB-099
  'channel-streaming', // SUB-100
  'channel-activity-runtime', // SUB-102
  'conversation-binding-runtime', // SUB-103
  'thread-bindings-runtime', // SUB-105
  'thread-bindings-session-runtime', // SUB-106
  'messaging-targets', // SUB-108
  'target-resolver-runtime', // SUB-109
  'directory-config-runtime', // SUB-110
  'matrix', // SUB-113
  'mattermost', // SUB-114
  'zalouser', // SUB-115
  'telegram-command-config', // SUB-117
  'status-helpers', // SUB-118
  'poll-runtime', // SUB-119
  'interactive-runtime', // SUB-120
  'inbound-envelope', // SUB-121
  'reply-reference', // SUB-126
  'reply-chunking', // SUB-127
  'reply-payload', // SUB-128
  'reply-history', // SUB-129
  'agent-media-payload', // SUB-130
  'outbound-media', // SUB-131
  'outbound-send-deps', // SUB-133
  'text-autolink-runtime', // SUB-137
  'markdown-table-runtime', // SUB-139
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
