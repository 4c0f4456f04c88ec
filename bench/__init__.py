"""What a delta, a request and a stream cost: Artesian beside a naive service and a bare one, in one run."""
