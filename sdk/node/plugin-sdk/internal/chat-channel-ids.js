// Ids of the well-known chat channels, and the names that messages of them may begin with.

/** Ids of channels that the reference knows. */
export const BUNDLED_CHAT_CHANNEL_IDS = [
  'feishu', 'wecom', 'googlechat', 'nostr', 'msteams', 'mattermost', 'nextcloud-talk', 'matrix', 'raft', 'line', 'openclaw-weixin', 'zalo', 'openclaw-zaloclawbot', 'clickclack', 'yuanbao', 'zalouser',
  'sms', 'synology-chat', 'tlon', 'discord', 'imessage', 'irc', 'qqbot', 'signal', 'slack', 'telegram', 'twitch', 'whatsapp',
];
/** The same with labels and other names. */
export const BUNDLED_CHAT_CHANNEL_ENVELOPE_PREFIXES = [
  'feishu', 'lark', 'wecom', 'qywx', 'wework', 'enterprise-wechat', 'googlechat', 'Google Chat', 'gchat', 'google-chat', 'nostr', 'msteams', 'Microsoft Teams', 'teams', 'mattermost', 'nextcloud-talk',
  'Nextcloud Talk', 'nc-talk', 'nc', 'matrix', 'raft', 'line', 'openclaw-weixin', 'Weixin', 'wechat', '微信', 'zalo', 'zl', 'openclaw-zaloclawbot', 'Zalo ClawBot', 'zaloclawbot', 'zalo-clawbot',
  'clickclack', 'yuanbao', 'yb', 'tencent-yuanbao', '元宝', 'zalouser', 'Zalo Personal', 'zlu', 'sms', 'synology-chat', 'Synology Chat', 'tlon', 'discord', 'imessage', 'imsg', 'irc',
  'internet-relay-chat', 'qqbot', 'QQ Bot', 'signal', 'slack', 'telegram', 'twitch', 'twitch-chat', 'whatsapp',
];
