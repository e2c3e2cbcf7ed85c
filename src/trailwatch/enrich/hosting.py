"""Networks in which programs and proxies sit rather than people, by the number of their autonomous system.

The list is short on purpose: the large clouds and hosters, the networks that VPN services rent, and the gateways that
companies send their people through. What an address there says of a person's whereabouts is worth nothing. Numbers
are public, for example at https://www.iana.org/assignments/as-numbers and in the registries that it names.
"""

from __future__ import annotations

AWS = frozenset({7224, 8987, 14618, 16509, 19047, 21664, 38895, 39111, 58588, 62785})

HOSTING = AWS | frozenset(
    {
        *(8068, 8069, 8070, 8071, 8075, 12076),  # Microsoft
        *(15169, 16550, 19527, 36492, 396982),  # Google
        *(31898, 792, 793),  # Oracle
        *(45102, 37963, 24429),  # Alibaba
        *(132203, 45090),  # Tencent
        *(36351, 13884),  # IBM
        *(14061, 62567, 200130),  # DigitalOcean
        *(63949, 20940, 16625),  # Akamai, with Linode; also a relay of iCloud
        *(13335, 209242),  # Cloudflare, also WARP and a relay of iCloud
        54113,  # Fastly, a relay of iCloud
        *(16276, 35540),  # OVH
        *(24940, 213230),  # Hetzner
        20473,  # Vultr
        12876,  # Scaleway
        *(60781, 28753, 30633, 59253),  # Leaseweb
        *(51167, 40021),  # Contabo
        9009,  # M247, which VPN services rent
        *(60068, 212238),  # Datacamp, which VPN services rent
        *(136787, 207137, 147049),  # networks of VPN services
        *(62041, 62044, 22616, 53813),  # Zscaler
        55256,  # Netskope
        394089,  # Palo Alto Networks
        *(8560, 197540, 55293, 53667),  # IONOS, netcup, A2, FranTech
    }
)
"""All of them; clouds, hosters, relays and company gateways."""
