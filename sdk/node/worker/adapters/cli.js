// Adapter `cli`: lets the registrar build its commands on a commander program, then runs the arguments.
import { plugins, snapshot } from '../state.js';

/** Returns `{exitCode}`; what the commands print goes to standard output and standard error. */
export async function run(row, [{ argv = [], parentPath = [], config, workspaceDir, help = false }]) {
  const { Command } = await import('../../vendor/commander.js');
  const root = new Command('openclaw').exitOverride();
  const program = parentPath.reduce((parent, name) => parent.command(name).exitOverride(), root);
  const logger = plugins.get(row.pluginId)?.logger;
  await row.fn.call(row.self, { program, parentPath, config: config ?? snapshot.config, workspaceDir, logger });
  overrideExit(root);
  if (help) {
    process.stdout.write(find(program, argv).helpInformation());
    return flush(0);
  }
  try {
    await root.parseAsync([...parentPath, ...argv], { from: 'user' });
    return await flush(process.exitCode ?? 0);
  } catch (error) {
    if (typeof error?.exitCode !== 'number') throw error;
    return await flush(error.exitCode);
  }
}

function overrideExit(command) {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}

function find(command, argv) {
  const child = command.commands.find((candidate) => candidate.name() === argv[0] || candidate.aliases().includes(argv[0]));
  return child ? find(child, argv.slice(1)) : command;
}

/** Waits until what was printed has left the process. */
async function flush(exitCode) {
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))));
  return { exitCode: Number(exitCode) };
}
