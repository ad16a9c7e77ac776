// What lists and setup show of the well-known chat channels. A channel's own plugin may say more.

const EVERYWHERE = { configured: true, setup: true, docs: true };
/** `id: [label, how it connects, short text, the rest]`. */
const CHANNELS = {
  telegram: ['Telegram', 'Bot API', 'a bot from @BotFather; the quickest start.', { selectionDocsPrefix: '', selectionDocsOmitLabel: true, selectionExtras: ['https://openclaw.ai'], detailLabel: 'Telegram Bot', systemImage: 'paperplane', markdownCapable: true }],
  whatsapp: ['WhatsApp', 'QR link', 'linked to a number of yours, better one kept for it.', { detailLabel: 'WhatsApp Web', systemImage: 'message' }],
  discord: ['Discord', 'Bot API', 'a bot in servers and direct messages.', { detailLabel: 'Discord Bot', systemImage: 'bubble.left.and.bubble.right', markdownCapable: true, preferSessionLookupForAnnounceTarget: true }],
  irc: ['IRC', 'Server + Nick', 'IRC networks, channels and direct messages.', { aliases: ['internet-relay-chat'], detailLabel: 'IRC', systemImage: 'network' }],
  googlechat: ['Google Chat', 'Chat API', 'a Chat app of a Google Workspace, by webhook.', { aliases: ['gchat', 'google-chat'], order: 55, detailLabel: 'Google Chat', systemImage: 'message.badge', markdownCapable: true }],
  slack: ['Slack', 'Socket Mode', 'an app in a Slack workspace.', { detailLabel: 'Slack Bot', systemImage: 'number', markdownCapable: true }],
  signal: ['Signal', 'signal-cli', 'a device linked through signal-cli.', { detailLabel: 'Signal REST', systemImage: 'antenna.radiowaves.left.and.right', markdownCapable: true }],
  imessage: ['iMessage', 'imsg', 'iMessage and SMS of a Mac through imsg.', { aliases: ['imsg'], detailLabel: 'iMessage', systemImage: 'message.fill' }],
  line: ['LINE', 'Messaging API', 'a LINE bot by webhook.', { order: 75, detailLabel: 'LINE Bot', systemImage: 'message', quickstartAllowFrom: true }],
  matrix: ['Matrix', 'plugin', 'an open protocol; comes as a plugin.', { order: 70, quickstartAllowFrom: true }],
  msteams: ['Microsoft Teams', 'Teams SDK', 'a Teams app for organisations.', { aliases: ['teams'], order: 60 }],
  mattermost: ['Mattermost', 'plugin', 'a chat server of your own; comes as a plugin.', { order: 65 }],
  'nextcloud-talk': ['Nextcloud Talk', 'self-hosted', 'a bot in Nextcloud Talk, by webhook.', { aliases: ['nc-talk', 'nc'], order: 65, quickstartAllowFrom: true }],
  nostr: ['Nostr', 'NIP-04 DMs', 'encrypted direct messages over relays.', { order: 55, quickstartAllowFrom: true }],
  tlon: ['Tlon', 'Urbit', 'messages on Urbit; comes as a plugin.', { order: 90, quickstartAllowFrom: true }],
  twitch: ['Twitch', 'Chat', 'the chat of Twitch channels.', { docsLabel: undefined, aliases: ['twitch-chat'] }],
  zalo: ['Zalo', 'Bot API', 'a bot on Zalo.', { aliases: ['zl'], order: 80, quickstartAllowFrom: true }],
  zalouser: ['Zalo Personal', 'Personal Account', 'a personal Zalo account, linked by QR code.', { selectionLabel: 'Zalo (Personal Account)', aliases: ['zlu'], order: 85, quickstartAllowFrom: false }],
  feishu: ['Feishu', '飞书', 'a bot in Feishu or Lark.', { selectionLabel: 'Feishu/Lark (飞书)', aliases: ['lark'], order: 35, quickstartAllowFrom: true }],
  qqbot: ['QQ Bot', 'Official API', 'a bot on QQ.', { detailLabel: 'QQ Bot', systemImage: 'bubble.left.and.bubble.right' }],
  'synology-chat': ['Synology Chat', 'Webhook', 'the chat of a Synology NAS.', { order: 90 }],
};

const metaOf = (id) => {
  const [label, connection, blurb, more] = CHANNELS[id];
  const meta = { id, label, selectionLabel: `${label} (${connection})`, docsPath: `/channels/${id}`, docsLabel: id, blurb, ...more, exposure: { ...EVERYWHERE } };
  return Object.fromEntries(Object.entries(meta).filter(([, value]) => value !== undefined));
};

/** What is shown of a channel. @param {string} id @returns {any} `undefined` for channels that only their plugin knows */
export const getChatChannelMeta = (id) => (Object.hasOwn(CHANNELS, id) ? metaOf(id) : undefined);

const IDS = new Map(Object.keys(CHANNELS).flatMap((id) => [id, ...(metaOf(id).aliases ?? [])].map((name) => [name, id])));
/** The id of a well-known channel, from its id or another name of it. @param {unknown} raw @returns {string | undefined} */
export const knownChatChannelId = (raw) => (typeof raw === 'string' ? IDS.get(raw.trim().toLowerCase()) : undefined);
