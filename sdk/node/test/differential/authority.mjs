// Rows for senders of commands, pairing files, command lines and versions.
import { list, pick, random, scalar, text } from './kit.mjs';

const sender = () => pick([undefined, 'bob', ' Eve ', '+4312', 'c:bob', '']);
const some = () => list(() => pick(['bob', 'eve', 'Eve', '*', '+4312', 'x:1', 'y:eve', ' ', 7]));
const maybe = (make) => pick([undefined, undefined, make()]);
const context = () => ({
  Provider: pick([undefined, 'webchat', 'telegram', 'zzz', 'TELEGRAM']), Surface: pick([undefined, undefined, 'discord', 'webchat']), OriginatingChannel: pick([undefined, undefined, 'slack']),
  From: pick([undefined, 'telegram:bob', 'bob', 'telegram:group:5', 'chat_id:3', 'webchat:x']), To: pick([undefined, 'telegram:9', 'bob']), AccountId: pick([undefined, 'default', 'Work']),
  SenderId: sender(), SenderE164: sender(), ChatType: pick([undefined, 'direct', 'group']), CommandSource: pick([undefined, 'native']), OwnerAllowFrom: maybe(some),
  GatewayClientScopes: pick([undefined, ['operator.admin'], ['operator.write']]), ForceSenderIsOwnerFalse: pick([undefined, true]),
});
const channel = () => ({ ...(random(2) ? { allowFrom: some() } : {}), ...(random(3) ? {} : { dm: { allowFrom: some() } }), ...(random(2) ? {} : { accounts: { work: { allowFrom: some() }, ...(random(2) ? { other: {} } : {}) }, defaultAccount: pick([undefined, 'work']) }) });
const config = () => ({ channels: { telegram: channel(), discord: channel(), zzz: channel() }, commands: { ownerAllowFrom: maybe(some), allowFrom: pick([undefined, undefined, { '*': some() }, { telegram: some() }, {}]) } });

const WORDS = ['--dev', '--profile', '--profile=x', 'x', '-3', '--log-level', 'status', 'help', '--help', '-h', '-V', '-v', '--version', '--json', '--', '', 'plugins', 'list'];
const argv = () => [['node', 'openclaw', ...Array.from({ length: random(6) }, () => pick(WORDS))]];

// Prefixes of channels are left out: the reference knows those of the plugins that it has loaded, none here.

/** A command of a command line whose options came from somewhere. */
const command = () => {
  const one = (parent) => {
    const [source, value] = [pick([undefined, 'default', 'cli', 'env']), text()];
    return { parent, getOptionValueSource: () => source, opts: () => ({ port: value }) };
  };
  return [pick([undefined, one(one(one(one()))), one(), { parent: one() }]), 'port'];
};
const env = () => ({ OPENCLAW_VERSION: pick([undefined, ' ', '1.2.3']), OPENCLAW_COMPATIBILITY_HOST_VERSION: pick([undefined, '9']) });
/** The two are of different releases. */
const known = (value) => (/^20\d\d\./.test(value) ? 'the release' : value);

export default [
  ['command-auth', ['resolveCommandAuthorization'], () => [{ ctx: context(), cfg: config(), commandAuthorized: pick([true, false]) }], undefined, 800],
  ['channel-pairing', ['resolveChannelAllowFromPath'], () => [pick([scalar(), 'Tele/gram', '..', 'a..b']), { HOME: '/h', OPENCLAW_OAUTH_DIR: pick([undefined, '/o']), OPENCLAW_STATE_DIR: '/s' }, scalar()]],
  ['cli-runtime', ['resolveCliArgvInvocation'], argv, ({ hasHelpOrVersion, ...rest }) => rest],
  ['cli-runtime', ['inheritOptionFromParent'], command],
  ['cli-runtime', ['shouldEagerRegisterSubcommands'], () => [{ OPENCLAW_DISABLE_LAZY_SUBCOMMANDS: pick([undefined, '', '1', 'true', 'no', ' yes ']) }]],
  ['cli-runtime', ['resolveUsableRuntimeVersion'], () => [pick([undefined, '0.0.0', ' 1.2 ', ''])]],
  ['cli-runtime', ['resolveBinaryVersion'], () => [{ moduleUrl: 'file:///nowhere/a/b.js', injectedVersion: pick([undefined, ' ', '1']), bundledVersion: pick([undefined, '2']), fallback: pick([undefined, '3']) }]],
  ['cli-runtime', ['resolveRuntimeServiceVersion', 'resolveCompatibilityHostVersion'], () => [env(), pick([undefined, 'f'])], known],
  ['system-event-runtime', ['resetSystemEventsForTest'], () => []],
  ['infra-runtime', ['resolveSystemEventDeliveryContext'], () => [list(() => ({ deliveryContext: pick([undefined, {}, { channel: pick(['telegram', 'Slack', ' ']), to: text(), accountId: pick([undefined, 'Work']), threadId: pick([undefined, 5, 2.7, ' t ']) }]) }))]],
];
