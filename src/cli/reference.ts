import type { Command, Option } from 'commander';

/** A command with its full name: `vault create`. */
export interface Documented {
  path: string;
  command: Command;
}

/** The commands that do something, in the order of the help. */
export function leavesOf(program: Command, prefix = ''): Documented[] {
  return program.commands.flatMap((command) => {
    const path = prefix === '' ? command.name() : `${prefix} ${command.name()}`;
    return command.commands.length === 0 ? [{ path, command }] : leavesOf(command, path);
  });
}

/** The reference of all commands as Markdown, made from what the parser knows, so that the two can't differ. */
export function commandReference(program: Command): string {
  const sections = leavesOf(program).map(({ path, command }) => {
    const args = command.registeredArguments.map((argument) => ` <${argument.name()}>`).join('');
    const rows = [
      ...command.registeredArguments.map((argument) => row(`<${argument.name()}>`, argument.description)),
      ...command.options.map(optionRow),
    ];
    const table = rows.length === 0 ? '' : `\n| | |\n| --- | --- |\n${rows.join('\n')}\n`;
    return `### \`holdfast ${path}${args}\`\n\n${command.description()}\n${table}`;
  });
  const common = program.options.map(optionRow).join('\n');
  return `## Options of every command\n\n| | |\n| --- | --- |\n${common}\n\n## Commands\n\n${sections.join('\n')}`;
}

function optionRow(option: Option): string {
  const choices = option.argChoices === undefined ? '' : ` (${option.argChoices.join(', ')})`;
  const fallback = typeof option.defaultValue === 'string' || typeof option.defaultValue === 'number';
  const needed = option.mandatory ? '; required' : '';
  return row(
    option.flags,
    `${option.description}${choices}${fallback ? `; default ${option.defaultValue}` : ''}${needed}`,
  );
}

function row(left: string, right: string): string {
  return `| \`${left}\` | ${right.replaceAll('|', '\\|')} |`;
}
