// Subpaths of accounts and access, channels, reply and outbound that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'account-helpers', // SUB-043
  'account-id', // SUB-044
  'account-resolution-runtime', // SUB-046
  'access-groups', // SUB-047
  'allow-from', // SUB-048
  'allowlist-config-edit', // SUB-049
  'group-access', // SUB-050
  'direct-dm-guard-policy', // SUB-054
  'dangerous-name-runtime', // SUB-055
  'command-gating', // SUB-058
  'channel-contract', // SUB-066
  'channel-config-helpers', // SUB-071
  'channel-config-writes', // SUB-072
  'channel-feedback', // SUB-075
  'channel-ingress-runtime', // SUB-080
  'channel-logging', // SUB-083
  'channel-reply-options-runtime', // SUB-090
  'channel-send-result', // SUB-098
  'messaging-targets', // SUB-108
  'target-resolver-runtime', // SUB-109
  'outbound-media', // SUB-131
  'outbound-send-deps', // SUB-133
  'markdown-table-runtime', // SUB-139
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
