// Asking for the one secret of a channel's account.
import { promptSecretRefForSetup, resolveSecretInputModeForEnvSelection } from './auth/setup.js';
import { buildSingleChannelSecretPromptState } from './setup-prompts.js';
import { normalizeOptionalString } from './strings.js';

const keeps = ({ hasConfigToken, accountConfigured, keepPrompt, prompter }) => hasConfigToken && accountConfigured && prompter.confirm({ message: keepPrompt, initialValue: true });

async function typed(params) {
  const { prompter, canUseEnv, envPrompt, inputPrompt } = params;
  if (canUseEnv) {
    if (await prompter.confirm({ message: envPrompt, initialValue: true })) return { action: 'use-env' };
  } else if (await keeps(params)) return { action: 'keep' };
  const answer = await prompter.text({ message: inputPrompt, validate: (value) => (value?.trim() ? undefined : 'Required') });
  const value = answer.trim();
  return value ? { action: 'set', value, resolvedValue: value } : { action: 'keep' };
}

/** The secret, typed or referred to, or that of the environment or of the configuration. @param {any} params @returns {Promise<{action: string, value?: any, resolvedValue?: string}>} */
export async function promptSingleChannelSecretInput(params) {
  const { cfg, prompter, providerHint, credentialLabel, secretInputMode, preferredEnvVar } = params;
  const copy = {
    modeMessage: `How should this ${credentialLabel} be kept?`, plaintextLabel: `Enter the ${credentialLabel}`, plaintextHint: 'it is stored in the configuration',
    refLabel: 'Refer to it', refHint: 'only the name of an environment variable is stored',
  };
  if ((await resolveSecretInputModeForEnvSelection({ prompter, explicitMode: secretInputMode, copy })) === 'plaintext') return typed(params);
  if (await keeps(params)) return { action: 'keep' };
  const { ref, resolvedValue } = await promptSecretRefForSetup({ provider: providerHint, config: cfg, prompter, preferredEnvVar, copy: { envVarPlaceholder: preferredEnvVar } });
  return { action: 'set', value: ref, resolvedValue };
}

/** Asks for the secret and puts it into the configuration. @param {any} params @returns {Promise<{cfg: any, action: string, resolvedValue?: string}>} */
export async function runSingleChannelSecretStep({ accountConfigured, hasConfigToken, allowEnv, envValue, onMissingConfigured, applyUseEnv, applySet, ...params }) {
  const state = buildSingleChannelSecretPromptState({ accountConfigured, hasConfigToken, allowEnv, envValue });
  if (!state.accountConfigured) await onMissingConfigured?.();
  const { action, value, resolvedValue } = await promptSingleChannelSecretInput({ ...params, ...state });
  const { cfg } = params;
  if (action === 'use-env') return { cfg: applyUseEnv ? await applyUseEnv(cfg) : cfg, action, resolvedValue: normalizeOptionalString(envValue) };
  if (action === 'set') return { cfg: applySet ? await applySet(cfg, value, resolvedValue) : cfg, action, resolvedValue };
  return { cfg, action };
}
