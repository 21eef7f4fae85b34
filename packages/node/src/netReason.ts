/** Why a connection failed, as text for people: Node's errors, and those of TLS with what to do. */

const untrusted = "its certificate is of no authority that this client trusts. Give the authority's as `tls.ca`"
const notTls = "it does not use TLS there. A port without encryption has a URL with `emp://`"
const required = "it requires a certificate of this client. Give `tls.cert` and `tls.key`"
const refused = "it refuses the certificate of this client. Use one of the authority that it trusts (`clientCa`)"

/** What Node's codes mean for the client of a manager. */
const explanations: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "its certificate is not for this host. Use a host name that it is for, or `tls.servername`",
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  CERT_SIGNATURE_FAILURE: untrusted,
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notTls,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: required,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: refused,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "the certificate of this client has expired",
  ECONNRESET: "it closed the connection",
  ENOTFOUND: "its host name is unknown",
  EAI_AGAIN: "its host name cannot be looked up now"
}

/** The reason of a failed connection. */
export const netReasonOf = (error: Error): string => {
  // One error for each address of a host.
  if (error instanceof AggregateError) return error.errors.map(netReasonOf).join(", ")
  const { code } = error as NodeJS.ErrnoException
  const explanation = code === undefined ? undefined : explanations[code]
  return explanation === undefined ? error.message : `${explanation} (${code})`
}
