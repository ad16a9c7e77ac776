// Entry helpers of text providers.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createProviderApiKeyAuthMethod } from '../plugin-sdk/provider-auth.js';
import { defineSingleProviderPluginEntry } from '../plugin-sdk/provider-entry.js';

const method = { methodId: 'api-key', label: 'Key', hint: 'h', optionKey: 'acmeKey', flagName: '--acme-key', envVar: 'ACME_KEY', promptMessage: '?', defaultModel: 'acme/l' };

function registered(provider) {
  let out;
  defineSingleProviderPluginEntry({ id: 'acme', name: 'Acme', description: 'd', provider: { label: 'Acme', auth: [method], ...provider } })
    .register({ registerProvider: (value) => (out = value) });
  return out;
}

// PRV-31
test('one entry makes a provider with its choice and variables', () => {
  const made = registered({ envVars: ['OLD_KEY'], catalog: { buildProvider: () => ({ models: [] }) } });
  assert.deepEqual([made.id, made.label, made.envVars, made.catalog.order], ['acme', 'Acme', ['OLD_KEY', 'ACME_KEY'], 'simple']);
  const { choiceId, groupId, groupLabel } = made.auth[0].wizard;
  assert.deepEqual([choiceId, groupId, groupLabel, made.auth[0].kind], ['acme-api-key', 'acme', 'Acme', 'api_key']);
});

// PRV-32
test('the catalogue needs the key and may take the configured address', async () => {
  const build = { buildProvider: () => ({ baseUrl: 'http://built', models: [] }) };
  const ctx = (apiKey) => ({ resolveProviderApiKey: () => ({ apiKey }), config: { models: { providers: { acme: { baseUrl: 'http://own' } } } } });
  const { catalog } = registered({ catalog: build });
  assert.equal(await catalog.run(ctx()), null);
  assert.deepEqual(await catalog.run(ctx('k')), { provider: { baseUrl: 'http://built', models: [], apiKey: 'k' } });
  const own = registered({ catalog: { ...build, allowExplicitBaseUrl: true } });
  assert.equal((await own.catalog.run(ctx('k'))).provider.baseUrl, 'http://own');
});

// PRV-29
test('an auth method takes its key from the option, the environment or the prompt', async () => {
  const auth = createProviderApiKeyAuthMethod({ providerId: 'acme', ...method });
  const key = async (ctx) => (await auth.run(ctx)).profiles[0].credential.key;
  assert.equal(await key({ opts: { acmeKey: ' a ' }, env: { ACME_KEY: 'e' } }), 'a');
  assert.equal(await key({ env: { ACME_KEY: 'e' } }), 'e');
  assert.equal(await key({ prompter: { text: async () => 'p' } }), 'p');
  await assert.rejects(auth.run({}), /ACME_KEY/);
  assert.equal((await auth.run({ opts: { acmeKey: 'a' } })).defaultModel, 'acme/l');
  assert.throws(() => auth.runNonInteractive({}), { code: 'NOT_BUILT' });
});
