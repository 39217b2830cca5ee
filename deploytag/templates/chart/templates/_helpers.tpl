{{/* A pod is found by these three; they never change, as a Deployment's selector cannot. */}}
{{- define "app.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "app.labels" -}}
{{ include "app.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* What every pod has in common: Pod Security "restricted", and no way to the cluster's API. */}}
{{- define "app.pod" -}}
serviceAccountName: {{ .Values.serviceAccount }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What every container has in common: the image by digest, and the environment. */}}
{{- define "app.container" -}}
image: {{ .Values.image | quote }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
{{- with .Values.envSecret }}
envFrom:
  - secretRef: {name: {{ . | quote }}}
{{- end }}
env:
  {{- /* Kubernetes takes $(NAME) in a value for the variable of that name, and a branch may be called so. */}}
  - {name: DEPLOYTAG_REF, value: {{ .Values.ref | replace "$" "$$" | quote }}}
  - {name: DEPLOYTAG_REVISION, value: {{ .Values.revision | quote }}}
  - {name: DEPLOYTAG_ENV_SECRET, value: {{ .Values.envSecret | quote }}}
{{- end }}
