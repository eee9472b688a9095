/** The words that policies are made of, in Azure's order. */

export const weekdays = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const;

export const weeks = ['First', 'Second', 'Third', 'Fourth', 'Last'] as const;

export const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/** Hours between two backups. */
export const intervals = ['4', '6', '8', '12', '24'] as const;
