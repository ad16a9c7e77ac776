// Setup of a channel whose plugin is not installed: it says what to install.
import { formatCliCommand } from './cli-name.js';
import { formatDocsLink } from './setup.js';

const messageOf = ({ label, npmSpec, docsPath }) => {
  const command = npmSpec ? ` Run \`${formatCliCommand(`openclaw plugins install ${npmSpec}`)}\`.` : '';
  return `${label} needs its plugin, which is not installed.${command}${docsPath ? ` Docs: ${formatDocsLink(docsPath)}` : ''}`;
};
const refuse = (message) => {
  throw new Error(message);
};

/**
 * @param {{channel: string, label: string, npmSpec?: string, docsPath?: string}} params
 * @returns {object} a setup adapter
 */
export function createOptionalChannelSetupAdapter(params) {
  const message = messageOf(params);
  return { resolveAccountId: ({ accountId }) => accountId ?? 'default', applyAccountConfig: () => refuse(message), validateInput: () => message };
}

/**
 * @param {{channel: string, label: string, npmSpec?: string, docsPath?: string}} params
 * @returns {object} a setup wizard
 */
export function createOptionalChannelSetupWizard(params) {
  const message = messageOf(params);
  const status = {
    configuredLabel: `${params.label} plugin installed`, unconfiguredLabel: `install ${params.label} plugin`, configuredHint: message, unconfiguredHint: message, unconfiguredScore: 0,
    resolveConfigured: () => false, resolveStatusLines: () => [message], resolveSelectionHint: () => message,
  };
  return { channel: params.channel, status, credentials: [], finalize: async () => refuse(message) };
}

/**
 * @param {{channel: string, label: string, npmSpec?: string, docsPath?: string}} params
 * @returns {{setupAdapter: object, setupWizard: object}}
 */
export const createOptionalChannelSetupSurface = (params) => ({ setupAdapter: createOptionalChannelSetupAdapter(params), setupWizard: createOptionalChannelSetupWizard(params) });
