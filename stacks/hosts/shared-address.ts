/**
 * More lines for check.sh, which print who else has the address that load balancers are to share. A host that comes to load balancers which
 * share it already finds the API there.
 */
export function sharedAddressFindings(address: string): string {
  return `if ! is_ours shared-address.service && ! curl --silent --insecure --output /dev/null --max-time 2 https://${address}:6443/livez; then
  taken=$(ip -4 neigh show ${address} | sed -n 's/.* lladdr \\([^ ]*\\).*/\\1/p')
  [ -z "$(ip -4 -oneline address show to ${address})" ] || taken=$name
  [ -z "$taken" ] || wrong "the address ${address} of the endpoint is taken" "$taken" "choose a free one as endpoint.address"
fi
`;
}
