/** `field eq 'value'` of everything that is given, as the API's filters want it; nothing where nothing is. */
export function filterText(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const conditions = Object.entries(fields).flatMap(([field, value]) =>
    value === undefined || value === '' ? [] : [`${field} eq '${value.replaceAll("'", "''")}'`],
  );
  return conditions.length === 0 ? {} : { $filter: conditions.join(' and ') };
}
