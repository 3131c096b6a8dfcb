/**
 * The stylesheet that the XML of a domain goes through. It removes the graphics that the provider adds, names files instead of volumes, since
 * AppArmor lets a domain read only what its XML names, moves the disk of cloud-init from IDE, where Debian finds the disk with BIOS but not
 * with UEFI, to virtio's SCSI, and has libvirt log the console.
 */
export function domainXslt(pool: string, consoleLog: string): string {
  return `<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="@*|node()">
    <xsl:copy>
      <xsl:apply-templates select="@*|node()"/>
    </xsl:copy>
  </xsl:template>
  <xsl:template match="/domain/devices/graphics"/>
  <xsl:template match="/domain/devices/disk[@type='volume']/@type">
    <xsl:attribute name="type">file</xsl:attribute>
  </xsl:template>
  <xsl:template match="/domain/devices/disk[@type='volume']/source">
    <source file="${pool}/{@volume}"/>
  </xsl:template>
  <xsl:template match="/domain/devices/disk[@device='cdrom']/target">
    <target dev="sda" bus="scsi"/>
  </xsl:template>
  <xsl:template match="/domain/devices">
    <xsl:copy>
      <xsl:apply-templates select="@*|node()"/>
      <controller type="scsi" model="virtio-scsi"/>
    </xsl:copy>
  </xsl:template>
  <xsl:template match="/domain/devices/console[target/@type='serial']">
    <xsl:copy>
      <xsl:apply-templates select="@*|node()"/>
      <log file="${consoleLog}" append="on"/>
    </xsl:copy>
  </xsl:template>
</xsl:stylesheet>
`;
}
