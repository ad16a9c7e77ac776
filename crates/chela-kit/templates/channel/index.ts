import { defineChannelPluginEntry } from "openclaw/plugin-sdk/channel-core";

type Account = { accountId: string; enabled: boolean; webhookUrl?: string };
type Config = { channels?: Record<string, { enabled?: boolean; webhookUrl?: string } | undefined> };

const CHANNEL = "__ID__";

function account(cfg: Config, accountId?: string | null): Account {
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
    listAccountIds: (cfg: Config) => (cfg.channels?.[CHANNEL] ? ["default"] : []),
    resolveAccount: account,
    defaultAccountId: () => "default",
    isEnabled: (one: Account) => one.enabled,
    isConfigured: (one: Account) => Boolean(one.webhookUrl),
  },
  outbound: {
    deliveryMode: "direct",
    async sendText({ cfg, to, text, accountId }: { cfg: Config; to: string; text: string; accountId?: string | null }) {
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
