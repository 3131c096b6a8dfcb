<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
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
    <source file="/var/lib/libvirt/images/kthw-dev/{@volume}"/>
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
      <log file="/var/log/libvirt/qemu/kthw-dev-cp1-console.log" append="on"/>
    </xsl:copy>
  </xsl:template>
</xsl:stylesheet>
