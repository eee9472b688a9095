/** Codes that a client of the API gives itself, when no answer came that could carry one. See {@link CatalogueEntry}. */
export const clientCodes = {
  ServiceNotRunning: {
    status: 503,
    action: 'Start the service with "holdfast serve", or name another one with --home or --endpoint.',
    retryable: true,
  },
  ServiceUnreachable: {
    status: 503,
    action:
      'Is the service running? Start it with "holdfast serve"; if it runs, check the address and the firewall.',
    retryable: true,
  },
  ServiceTimedOut: {
    status: 504,
    action: "Try again; if it stays so, look into the service's log for what keeps it busy.",
    retryable: true,
  },
  CertificateNotTrusted: {
    status: 495,
    action:
      "Give the service's own certificate with --ca-file (it is in the directory tls of its home), and use a name the certificate was made for.",
    retryable: false,
  },
  AnswerNotUnderstood: {
    status: 502,
    action: 'Check that the address is that of a Holdfast service, of the same version as this program.',
    retryable: false,
  },
  CredentialsNotUsable: {
    status: 401,
    action: 'Check the file and its permissions, or give a token with --token-file or HOLDFAST_TOKEN.',
    retryable: false,
  },
  InvalidCommandLine: { status: 400, action: 'See the command with --help.', retryable: false },
  WaitTimedOut: {
    status: 504,
    action: 'Nothing was stopped: wait again, or look at it with "holdfast job show".',
    retryable: true,
  },
} as const;
