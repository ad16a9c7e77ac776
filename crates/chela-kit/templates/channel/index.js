import { defineChannelPluginEntry } from "openclaw/plugin-sdk/channel-core";

const CHANNEL = "__ID__";

/**
 * @param {any} cfg the config
 * @param {string | null} [accountId]
 */
function account(cfg, accountId) {
  const section = cfg.channels?.[CHANNEL];
  return { accountId: accountId ?? "default", enabled: section?.enabled !== false, webhookUrl: section?.webhookUrl };
}

export const channel = {
  id: CHANNEL,
  meta: {
    id: CHANNEL,
    label: "__TITLE__",
    selectionLabel: "__TITLE__ (webhook)",
    docsPath: `/channels/${CHANNEL}`,
    blurb: "__ABOUT__",
  },
  capabilities: { chatTypes: ["direct"] },
  config: {
    listAccountIds: (/** @type {any} */ cfg) => (cfg.channels?.[CHANNEL] ? ["default"] : []),
    resolveAccount: account,
    defaultAccountId: () => "default",
    isEnabled: (/** @type {ReturnType<typeof account>} */ one) => one.enabled,
    isConfigured: (/** @type {ReturnType<typeof account>} */ one) => Boolean(one.webhookUrl),
  },
  outbound: {
    deliveryMode: "direct",
    /** @param {{ cfg: any, to: string, text: string, accountId?: string | null }} message */
    async sendText({ cfg, to, text, accountId }) {
      const { webhookUrl } = account(cfg, accountId);
      if (!webhookUrl) throw new Error(`set \`channels.${CHANNEL}.webhookUrl\` first`);
      const response = await fetch(webhookUrl, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ to, text }),
      });
      if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
      return { channel: CHANNEL, messageId: `${Date.now()}` };
    },
  },
};

export default defineChannelPluginEntry({
  id: "__ID__",
  name: "__TITLE__",
  description: "__ABOUT__",
  plugin: channel,
});
