// Known writes what the version of Kubernetes in go.mod knows as lines of words: flags of the control plane's programs and of the
// kubelet, the values that some of them take, feature gates, and fields of KubeletConfiguration and of what API servers read. From the
// project's folder:
//
//	GOWORK=off go -C offline/go/kubernetes run ./known >settings/kubernetes/1.36.txt
//	GOWORK=off go -C offline/go/kubernetes run -modfile=1.37.2.mod ./known >settings/kubernetes/1.37.txt
package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiserverconfig "k8s.io/apiserver/pkg/apis/apiserver/v1"
	audit "k8s.io/apiserver/pkg/apis/audit/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register"
	kubelet "k8s.io/kubelet/config/v1beta1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeletoptions "k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubeapiserver/options"
)

func main() {
	fmt.Println("# What this version of Kubernetes knows, written from its source by offline/go/kubernetes/known.")
	flags("kube-apiserver", apiserver.NewAPIServerCommand().Flags())
	flags("kube-controller-manager", controllermanager.NewControllerManagerCommand().Flags())
	flags("kube-scheduler", scheduler.NewSchedulerCommand().Flags())
	flags("kubelet", kubeletFlags())
	for _, plugin := range slices.Sorted(slices.Values(options.AllOrderedPlugins)) {
		fmt.Println("admission-plugin", plugin)
	}
	for _, name := range slices.Sorted(slices.Values(controllermanager.KnownControllers())) {
		fmt.Println("controller", name)
	}
	aliases := []string{}
	for alias, name := range controllermanager.ControllerAliases() {
		aliases = append(aliases, fmt.Sprint("controller ", alias, " ", name))
	}
	slices.Sort(aliases)
	fmt.Println(strings.Join(aliases, "\n"))
	gates := []string{}
	for name, gate := range utilfeature.DefaultMutableFeatureGate.GetAll() {
		line := fmt.Sprint("feature-gate ", name)
		if gate.LockToDefault {
			line = fmt.Sprint(line, " ", gate.Default)
		}
		gates = append(gates, line)
	}
	slices.Sort(gates)
	fmt.Println(strings.Join(gates, "\n"))
	fields(reflect.TypeFor[kubelet.KubeletConfiguration]())
	fields(reflect.TypeFor[apiserverconfig.JWTAuthenticator]())
	fields(reflect.TypeFor[audit.Policy]())
	fields(reflect.TypeFor[apiserverconfig.AdmissionConfiguration]())
}

// Flags writes each flag with the kind of its value, and whether it is left out of --help.
func flags(program string, all *pflag.FlagSet) {
	all.VisitAll(func(flag *pflag.Flag) {
		hidden := ""
		if flag.Hidden || flag.Deprecated != "" {
			hidden = " hidden"
		}
		name := strings.ReplaceAll(flag.Name, "_", "-")
		fmt.Printf("flag %s %s %s%s\n", program, name, flag.Value.Type(), hidden)
	})
}

// KubeletFlags makes the flags as the kubelet's command does, which parses them by itself.
func kubeletFlags() *pflag.FlagSet {
	all := pflag.NewFlagSet("kubelet", pflag.ContinueOnError)
	kubeletoptions.NewKubeletFlags().AddFlags(all)
	configuration, err := kubeletoptions.NewKubeletConfiguration()
	if err != nil {
		panic(err)
	}
	kubeletoptions.AddKubeletConfigFlags(all, configuration)
	kubeletoptions.AddGlobalFlags(all)
	all.BoolP("help", "h", false, "")
	return all
}

var written = map[string]bool{}

// Fields writes each field of a struct with its kind, and then the structs that those are of.
func fields(of reflect.Type) {
	if written[of.Name()] {
		return
	}
	written[of.Name()] = true
	lines := []string{}
	inner := []reflect.Type{}
	var add func(reflect.Type)
	add = func(of reflect.Type) {
		for i := range of.NumField() {
			field := of.Field(i)
			name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			if option == "inline" || name == "" && field.Anonymous {
				add(field.Type)
				continue
			}
			kind, parts := kindOf(field.Type)
			lines = append(lines, fmt.Sprint(name, " ", kind))
			inner = append(inner, parts...)
		}
	}
	add(of)
	for _, line := range lines {
		fmt.Println("field", of.Name(), line)
	}
	for _, part := range inner {
		fields(part)
	}
}

// KindOf tells how a field is written, and which structs it is made of.
func kindOf(of reflect.Type) (string, []reflect.Type) {
	switch of {
	case reflect.TypeFor[metav1.Duration]():
		return "duration", nil
	case reflect.TypeFor[logsapi.TimeOrMetaDuration]():
		return "durationOrNanoseconds", nil
	case reflect.TypeFor[resource.QuantityValue](), reflect.TypeFor[resource.Quantity]():
		return "quantity", nil
	case reflect.TypeFor[metav1.Time]():
		return "time", nil
	case reflect.TypeFor[metav1.ObjectMeta](), reflect.TypeFor[runtime.Unknown]():
		return "any", nil
	}
	switch of.Kind() {
	case reflect.Pointer:
		return kindOf(of.Elem())
	case reflect.Slice:
		kind, parts := kindOf(of.Elem())
		return "list " + kind, parts
	case reflect.Map:
		kind, parts := kindOf(of.Elem())
		return "map " + kind, parts
	case reflect.Struct:
		return of.Name(), []reflect.Type{of}
	default:
		return of.Kind().String(), nil
	}
}
